"""Tests of ``bench.regression``."""
