"""Tests of ``bench.report``."""
