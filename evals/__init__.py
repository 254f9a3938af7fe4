"""Suites and benchmarks."""
