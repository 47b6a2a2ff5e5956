"""Labelled sequences: read, checked, as numbers, in batches."""
