"""Tests of ``bench.driver``."""
