"""Tests of ``bench.servers``."""
