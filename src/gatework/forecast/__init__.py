"""Forecasts: from a table of series to their future values, with bands."""
