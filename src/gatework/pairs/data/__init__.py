"""Pairs of source and target: read, checked, as numbers, in batches."""
