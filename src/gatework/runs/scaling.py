"""Numbers as a network reads them: scaled by what the training part has. All of it is JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError

FARTHEST = 1e6  # deviations from the mean that a number counts as, at most
SPREAD = 30  # times its median that the 99th percentile of distances from a column's middle is, in orders of magnitude

Bends = tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / scale for each of the C numbers of a step, with the training part's mean and deviation.

    A number that is missing becomes 0, the mean; for each column that has one in training a further input says where, 1
    or 0 (Che et al. 2018, arXiv:1606.01865). missing: which columns these are, empty for none.
    bent: of columns whose numbers differ by orders of magnitude (middle, unit); x is asinh((x - middle) / unit) first.
    None for the others, empty where there are none.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    missing: tuple[bool, ...] = ()
    bent: Bends = ()

    @classmethod
    def of(cls, sequences: Sequence[npt.NDArray[Any]]) -> Self:
        """What scales sequences [T,C], the training part."""
        values = np.concatenate(sequences).astype(np.float64)  # [sum T, C]
        missing = np.isnan(values)
        bends = tuple(_bend(column[~gaps]) for column, gaps in zip(values.T, missing.T, strict=True))
        bent = bends if any(bends) else ()
        known = np.ma.masked_array(_bent(values, bent), missing)
        mean, scale = known.mean(0).filled(0.0), known.std(0).filled(0.0)
        constant = scale <= 1e-7 * np.abs(mean)  # what is left of a constant by rounding
        scale = np.where(constant, 1.0, scale)
        columns = tuple(bool(column.any()) for column in missing.T) if missing.any() else ()
        return cls(tuple(mean.tolist()), tuple(scale.tolist()), columns, bent)

    @property
    def columns(self) -> int:
        """C, the numbers of a step."""
        return len(self.mean)

    @property
    def width(self) -> int:
        """I, the inputs of the network."""
        return self.columns + sum(self.missing)

    @property
    def form(self) -> Literal["numbers"]:
        return "numbers"

    def check_columns(self, sequences: Sequence[npt.NDArray[Any]], at: str = "the input") -> None:
        """Raises InputError for sequences of another number of columns; at: what the error calls the first."""
        columns = sequences[0].shape[1]
        if columns != self.columns:
            raise InputError(f"{at}: vectors of {columns} numbers; the model was trained on vectors of {self.columns}")

    def encode(self, sequences: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
        """All sequences [T,C], one after the other: [sum T, I]; InputError for another number of columns."""
        self.check_columns(sequences)
        values = np.concatenate(sequences).astype(np.float64)
        scaled = np.nan_to_num(((_bent(values, self.bent) - self.mean) / self.scale).clip(-FARTHEST, FARTHEST), nan=0.0)
        where = np.isnan(values[:, np.flatnonzero(self.missing)])
        return np.concatenate([scaled, where], 1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        values = {"form": self.form, "mean": list(self.mean), "scale": list(self.scale)}
        more = {"missing": self.missing, "bent": self.bent}
        return values | {name: list(columns) for name, columns in more.items() if columns}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        mean, scale = (tuple(map(float, values[name])) for name in ("mean", "scale"))
        missing = tuple(map(bool, values.get("missing", ())))
        bent = tuple(bend and (float(bend[0]), float(bend[1])) for bend in values.get("bent", ()))
        sizes = {len(mean), len(scale), len(missing) or len(mean), len(bent) or len(mean)}
        units = (*scale, *(bend[1] for bend in bent if bend))
        if len(sizes) > 1 or not mean or not all(unit > 0 for unit in units):
            raise ValueError("its scaling does not fit")
        return cls(mean, scale, missing, bent)


def _bend(column: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """The middle and the unit of numbers that differ by orders of magnitude; None for others."""
    middle = float(np.median(column)) if len(column) else 0.0
    distances = np.abs(column - middle)
    distances = distances[distances > 0]
    if not len(distances):
        return None
    unit, far = np.quantile(distances, [0.5, 0.99])
    return (middle, float(unit)) if far > SPREAD * unit else None


def _bent(values: npt.NDArray[np.float64], bends: Bends) -> npt.NDArray[np.float64]:
    """The columns [sum T, I], asinh((x - middle) / unit) of those that are bent."""
    if not bends:
        return values
    columns = [
        column if bend is None else np.arcsinh((column - bend[0]) / bend[1])
        for column, bend in zip(values.T, bends, strict=True)
    ]
    return np.stack(columns, 1)
