"""Sequences out of scores: beam search, paths of CTC, edits between two sequences; without torch."""
