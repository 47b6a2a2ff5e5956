"""What runs have cost, measured: docs/generate.py writes it from the results in docs/experiments."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from gatework.lab.experiment import Size

FILE = "costs.json"


def cost(experiment: str, size: Size) -> float | None:
    """Seconds of processor time, all seeds together, None where they were not measured."""
    seconds: float | None = measured().get(experiment, {}).get(size.value)
    return seconds


@cache
def measured() -> dict[str, Any]:
    costs: dict[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text())
    return costs
