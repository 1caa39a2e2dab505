"""Records in, Summary out: intervals, validity, ranks, sweeps. No I/O."""
