"""The bench: what gatework's layers cost, measured against torch and others in one run."""

from gatework.bench.measure import Contest, Measurement, Shape, geometric_mean, interleave
from gatework.bench.report import Report
from gatework.bench.rows import ROWS, Row
from gatework.bench.run import Skipped, run
from gatework.bench.settings import Settings

__all__ = [
    "ROWS",
    "Contest",
    "Measurement",
    "Report",
    "Row",
    "Settings",
    "Shape",
    "Skipped",
    "geometric_mean",
    "interleave",
    "run",
]
