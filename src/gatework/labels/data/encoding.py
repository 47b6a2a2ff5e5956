"""Sequences as numbers that a network reads: scaling, vocabulary. All of it is JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self, cast, get_args

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.labels.data.examples import NAMES, Examples, Form
from gatework.runs.parts import UNKNOWN

VOCABULARY = 10_000  # characters or words that are known at most
FARTHEST = 1e6  # deviations from the mean that a number counts as, at most
SPREAD = 30  # times its median that the 99th percentile of distances from a column's middle is, in orders of magnitude


@dataclass(frozen=True)
class Scaling:
    """Sequences of numbers: (x - mean) / scale for each of the columns, with the training part's mean and deviation.

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
    def of(cls, examples: Examples) -> Self:
        values = np.concatenate(examples.sequences).astype(np.float64)  # [sum T, I]
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
    def width(self) -> int:
        """I, the inputs of the network."""
        return len(self.mean) + sum(self.missing)

    @property
    def form(self) -> Form:
        return "numbers"

    def encode(self, examples: Examples) -> npt.NDArray[Any]:
        """All sequences, one after the other: float [sum T, I]; InputError for another width."""
        columns = examples.sequences[0].shape[1]
        if columns != len(self.mean):
            raise InputError(
                f"{examples.at(0)}: vectors of {columns} numbers; the model was trained on vectors of {len(self.mean)}"
            )
        values = np.concatenate(examples.sequences).astype(np.float64)
        scaled = np.nan_to_num(((_bent(values, self.bent) - self.mean) / self.scale).clip(-FARTHEST, FARTHEST), nan=0.0)
        where = np.isnan(values[:, np.flatnonzero(self.missing)])
        return np.concatenate([scaled, where], 1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        values = {"form": self.form, "mean": list(self.mean), "scale": list(self.scale)}
        more = {"missing": self.missing, "bent": self.bent}
        return values | {name: list(columns) for name, columns in more.items() if columns}


@dataclass(frozen=True)
class Tokens:
    """Texts: the number of each character or word in `tokens`; the first, "<unk>", stands for all others."""

    form: Form
    tokens: tuple[str, ...]

    @classmethod
    def of(cls, examples: Examples, size: int | None = None) -> Self:
        """The `size` most frequent tokens of the examples."""
        counts = Counter(chain.from_iterable(examples.sequences))
        counts.pop(UNKNOWN, None)
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        return cls(examples.form, (UNKNOWN, *ranked[: (size or VOCABULARY) - 1]))

    @property
    def width(self) -> int:
        """V, the tokens there are."""
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def encode(self, examples: Examples) -> npt.NDArray[Any]:
        """All sequences, one after the other: whole numbers [sum T]."""
        known = self.numbers
        return np.array([known.get(token, 0) for one in examples.sequences for token in one], np.int64)

    def to_json(self) -> dict[str, Any]:
        return {"form": self.form, "tokens": list(self.tokens)}


Bends = tuple[tuple[float, float] | None, ...]


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


Inputs = Scaling | Tokens


def inputs_of(examples: Examples, size: int | None = None) -> Inputs:
    """How these examples, the training part, are read; size: of the vocabulary."""
    return Scaling.of(examples) if examples.form == "numbers" else Tokens.of(examples, size)


def inputs_from_json(values: Mapping[str, Any]) -> Inputs:
    """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
    if values["form"] != "numbers":
        tokens = tuple(values["tokens"])
        if values["form"] not in get_args(Form) or tokens[:1] != (UNKNOWN,):
            raise ValueError("its vocabulary is none")
        return Tokens(cast(Form, values["form"]), tokens)
    mean, scale = (tuple(map(float, values[name])) for name in ("mean", "scale"))
    missing = tuple(map(bool, values.get("missing", ())))
    bent = tuple(bend and (float(bend[0]), float(bend[1])) for bend in values.get("bent", ()))
    sizes = {len(mean), len(scale), len(missing) or len(mean), len(bent) or len(mean)}
    if len(sizes) > 1 or not mean or min(scale) <= 0 or any(bend and bend[1] <= 0 for bend in bent):
        raise ValueError("its scaling does not fit")
    return Scaling(mean, scale, missing, bent)


def check_form(inputs: Inputs, examples: Examples) -> None:
    """Raises InputError unless the examples are what the inputs were made for."""
    if examples.form != inputs.form:
        raise InputError(
            f"{examples.at(0)}: {NAMES[examples.form]}; the model was trained on {NAMES[inputs.form]}: give the same"
        )
