"""Tests of ``bench.doctor``."""
