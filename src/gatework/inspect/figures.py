"""What was measured of units and hypotheses, as JSON values."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import torch
from torch import Tensor

from gatework.inspect.hypotheses import Hypothesis, Labels
from gatework.inspect.memory import HalfLife
from gatework.inspect.places import telling_place
from gatework.inspect.units import Units

NAMED = 5  # units that a hypothesis names


def units_json(units: Units, hypotheses: Sequence[Hypothesis], lives: Mapping[str, HalfLife]) -> list[dict[str, Any]]:
    """Every unit: where it is, how long it remembers, how it follows each label."""
    listed = []
    for index, name in enumerate(units.names):
        key, unit = units.place(index)
        layer, state = key.split(".")
        follows = {each.name: correlation(each, index) for each in hypotheses}
        place = {"name": name, "layer": int(layer[1:]), "state": state, "unit": unit}
        listed.append({**place, **_life_json(lives.get(key), unit), "labels": follows})
    return listed


def _life_json(life: HalfLife | None, unit: int) -> dict[str, Any]:
    """How long one unit remembers, in steps; None where it is unknown, or nothing is lost."""
    if life is None:
        return {"half_life": None, "half_median": None, "censored": False}
    mean = float(f"{float(life.mean[unit]):.4g}") if bool(torch.isfinite(life.mean[unit])) else None
    return {"half_life": mean, "half_median": float(life.median[unit]), "censored": bool(life.censored[unit])}


def correlation(hypothesis: Hypothesis, index: int) -> dict[str, Any]:
    """One unit and one label: r on either half, the score."""
    columns = {"a": hypothesis.a, "b": hypothesis.b, "score": hypothesis.scores}
    shown = {name: round(float(column[index]), 3) for name, column in columns.items()}
    return {**shown, "found": bool(hypothesis.followed[index])}


def figure(value: float, digits: int = 2) -> str:
    """A number as the page writes it (toFixed in JavaScript): halves go away from 0."""
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return text.removeprefix("-") if not float(text) else text


def hypotheses_json(
    hypotheses: Sequence[Hypothesis],
    units: Units,
    cost: Sequence[float | None],
    meanings: Mapping[str, str],
    labels: Labels,
) -> list[dict[str, Any]]:
    """Every label: its meaning, what chance and an untrained network reach, the units best on the first half,
    those that follow it first, and the place at which the best shows it.

    labels: their values where the page shows them, at the end of what was measured.
    """
    return [
        {
            "name": each.name,
            "meaning": meanings[each.name],
            "prevalence": round(each.prevalence, 4),
            "episodes": each.episodes,
            "needed": each.needed,
            "enough": each.enough,
            "null95": round(each.null, 3),
            "untrained_best": round(each.untrained, 3),
            "best": [
                units.names[index]
                for index in (each.a.abs() + 2 * each.followed).argsort(descending=True)[:NAMED].tolist()
            ],
            "found": bool(each.followed[each.best]),
            "units_found": int(each.followed.sum()),
            "probe": round(each.probe, 3),
            "probe_untrained": round(each.probe_untrained, 3),
            "cost_bits": None if bits is None else round(bits, 5),
            "label": {"values": [float(f"{value:.4g}") for value in labels[each.name].tolist()]},
            "place": _place_of(each, units, labels),
        }
        for each, bits in zip(hypotheses, cost, strict=True)
    ]


def _place_of(hypothesis: Hypothesis, units: Units, labels: Labels) -> int | None:
    """The step, of those that the page shows, at which the best unit shows what it follows."""
    label, best = labels[hypothesis.name], hypothesis.best
    return telling_place(label, units.values[-len(label) :, best], float(hypothesis.a[best]))


def rounded(values: Tensor) -> list[float]:
    """Numbers [n] with as many digits as float32 has."""
    return [float(f"{value:.7g}") for value in values.tolist()]
