"""Tests of ``bench.model``."""
