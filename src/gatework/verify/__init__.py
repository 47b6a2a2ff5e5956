"""Cells compared with float64: problems, bounds, derived gradients."""
