"""Tests of ``bench.cli``."""
