"""Pairs: sequences to sequences of other lengths, with attention over the source or without alignment by CTC."""
