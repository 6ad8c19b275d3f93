"""Benchmarks: ratios against what the same machine does in the same run, so that they mean something elsewhere."""
