"""Sequences as a network reads them, end to end, as numpy's arrays: without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.labels.data.encoding import Inputs, check_form
from gatework.labels.data.examples import Examples
from gatework.labels.data.targets import Targets, encode_labels

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """N sequences end to end: see `gatework.labels.data.batches.Encoded`."""

    values: npt.NDArray[Any]
    lengths: Ids
    targets: npt.NDArray[Any] | None
    tagged: bool

    @classmethod
    def of(cls, examples: Examples, inputs: Inputs, targets: Targets | None, tagged: bool) -> Self:
        """Examples as the network reads them; `targets` None leaves their labels out."""
        check_form(inputs, examples)
        lengths = np.array([len(sequence) for sequence in examples.sequences], np.int64)
        labels = None if targets is None else encode_labels(targets, examples)
        return cls(inputs.encode(examples.sequences), lengths, labels, tagged)

    def __len__(self) -> int:
        return len(self.lengths)

    def in_order_of_length(self, size: int) -> Iterator[Ids]:
        """The numbers of so many sequences at a time, longest first, so that little is padded."""
        order = np.argsort(-self.lengths, kind="stable")
        yield from (order[first : first + size] for first in range(0, len(order), size))

    def padded(self, rows: Ids) -> tuple[npt.NDArray[Any], Ids]:
        """These sequences as x [T,B,I] or [T,B], 0 past their ends, and lengths [B]."""
        lengths, starts = self.lengths[rows], (np.cumsum(self.lengths) - self.lengths)[rows]
        steps = np.arange(int(lengths.max()))[:, None]  # [T,1]
        inside = steps < lengths
        x = self.values[np.where(inside, starts + steps, 0)]
        return x * (inside[..., None] if x.ndim > 2 else inside), lengths
