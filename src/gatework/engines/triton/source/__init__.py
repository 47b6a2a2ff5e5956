"""Triton's source text from a Program: text alone, without torch and without triton."""
