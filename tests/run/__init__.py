"""Tests of ``bench.run``."""
