"""Benchmarks: the product held against the floor of its design, in one run."""
