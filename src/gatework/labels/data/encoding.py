"""Sequences as numbers that a network reads: scaled, or by their vocabulary. All of it is JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self, cast, get_args

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.labels.data.examples import NAMES, Examples, Form
from gatework.runs.parts import UNKNOWN
from gatework.runs.scaling import Scaling

VOCABULARY = 10_000  # characters or words that are known at most


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

    def encode(self, sequences: Sequence[Sequence[str]]) -> npt.NDArray[np.int64]:
        """All sequences, one after the other: whole numbers [sum T]."""
        known = self.numbers
        return np.array([known.get(token, 0) for one in sequences for token in one], np.int64)

    def to_json(self) -> dict[str, Any]:
        return {"form": self.form, "tokens": list(self.tokens)}


Inputs = Scaling | Tokens


def inputs_of(examples: Examples, size: int | None = None) -> Inputs:
    """How these examples, the training part, are read; size: of the vocabulary."""
    return Scaling.of(examples.sequences) if examples.form == "numbers" else Tokens.of(examples, size)


def inputs_from_json(values: Mapping[str, Any]) -> Inputs:
    """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
    if values["form"] != "numbers":
        tokens = tuple(values["tokens"])
        if values["form"] not in get_args(Form) or tokens[:1] != (UNKNOWN,):
            raise ValueError("its vocabulary is none")
        return Tokens(cast(Form, values["form"]), tokens)
    return Scaling.from_json(values)


def check_form(inputs: Inputs, examples: Examples) -> None:
    """Raises InputError unless the examples are what the inputs were made for."""
    if examples.form != inputs.form:
        raise InputError(
            f"{examples.at(0)}: {NAMES[examples.form]}; the model was trained on {NAMES[inputs.form]}: give the same"
        )
    if isinstance(inputs, Scaling):
        inputs.check_columns(examples.sequences, examples.at(0))
