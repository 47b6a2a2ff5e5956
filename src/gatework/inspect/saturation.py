"""How often each gate of each unit is shut or open."""

from typing import Any

from torch import Tensor

SHUT, OPEN = 0.1, 0.9


class Saturation:
    """Counts, step by step, how often a gate is below 0.1 and above 0.9."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[Tensor, Tensor, int]] = {}

    def add(self, key: str, values: Tensor) -> None:
        """More steps [T,H] of the gate "l0.f"."""
        left, right = (values < SHUT).sum(0), (values > OPEN).sum(0)
        if key in self.counts:
            before = self.counts[key]
            left, right = left + before[0], right + before[1]
            self.counts[key] = left, right, before[2] + len(values)
        else:
            self.counts[key] = left, right, len(values)

    def to_json(self) -> list[dict[str, Any]]:
        """Of each gate and layer: the share of steps below 0.1 and above 0.9, unit by unit."""
        listed = []
        for key, (left, right, steps) in self.counts.items():
            layer, name = key.split(".")
            shares = [[round(value / steps, 4) for value in counted.tolist()] for counted in (left, right)]
            listed.append({"name": name, "layer": int(layer[1:]), "left": shares[0], "right": shares[1]})
        return listed
