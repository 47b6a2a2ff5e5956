"""The bench: what gatework's layers cost, measured against torch and others in one run."""

from gatework.lab.bench.measure import Contest, Measurement, Shape, geometric_mean, interleave
from gatework.lab.bench.report import Report
from gatework.lab.bench.rows import ROWS, Row
from gatework.lab.bench.run import Skipped, run
from gatework.lab.bench.settings import Settings

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
