"""Pairs as a network reads them: all symbols end to end, as numpy's arrays, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError
from gatework.files.tensors import as_bytes, read_tensors
from gatework.files.writing import write_atomically
from gatework.pairs.data.examples import Examples
from gatework.pairs.data.symbols import Symbols
from gatework.runs.scaling import Scaling

Whole = npt.NDArray[np.int64]
Inputs = Symbols | Scaling  # how sources are read


def inputs_of(examples: Examples, size: int | None = None) -> Inputs:
    """How these sources, the training part, are read; size: of the vocabulary."""
    if examples.form == "frames":
        return Scaling.of(examples.sources)
    return Symbols.of_sources(examples.sources, examples.levels.source, size)


def outputs_of(examples: Examples, size: int | None = None) -> Symbols:
    """The symbols of these targets, the training part."""
    return Symbols.of_targets(chain.from_iterable(examples.targets or ()), examples.levels.target, size)


@dataclass(frozen=True)
class Encoded:
    """N sources, and M targets of which each source has one or more, end to end.

    source: int32 [sum S], or of frames float32 [sum S, I]; source k is source[source_starts[k]:source_starts[k + 1]].
    target: int32 [sum T], -1 for a symbol that is not listed; target m lies between target_starts in the same way.
    targets_of: source k has the targets targets_of[k] to targets_of[k + 1] - 1.
    """

    source: npt.NDArray[Any]
    source_starts: Whole  # [N+1]
    target: npt.NDArray[np.int32]
    target_starts: Whole  # [M+1]
    targets_of: Whole  # [N+1]

    @classmethod
    def of(cls, examples: Examples, inputs: Inputs, outputs: Symbols) -> Self:
        """Examples as the network reads them, without targets where they have none."""
        if isinstance(inputs, Scaling):
            inputs.check_columns(examples.sources, examples.rows[0])
        accepted = [()] * len(examples) if examples.targets is None else examples.targets
        texts = list(chain.from_iterable(accepted))
        return cls(
            inputs.encode(examples.sources),
            _starts([len(source) for source in examples.sources]),
            outputs.encode(texts),
            _starts([len(text) for text in texts]),
            _starts([len(each) for each in accepted]),
        )

    def __len__(self) -> int:
        return len(self.source_starts) - 1

    @property
    def source_lengths(self) -> Whole:
        """S of each source, [N]."""
        return np.diff(self.source_starts)

    @property
    def target_lengths(self) -> Whole:
        """T of each target, [M]."""
        return np.diff(self.target_starts)

    @property
    def source_of(self) -> Whole:
        """The source of each target, [M]."""
        return np.repeat(np.arange(len(self)), np.diff(self.targets_of))

    def sources(self, numbers: Whole) -> tuple[npt.NDArray[Any], Whole]:
        """These sources [S,B] or [S,B,I], 0 past their ends, and their lengths [B]."""
        return padded(self.source, self.source_starts, numbers, 0), self.source_lengths[numbers]

    def targets(self, numbers: Whole, end: int | None, padding: int) -> npt.NDArray[np.int32]:
        """These targets [T,B], ended by `end` if there is one; `padding` past it."""
        targets = padded(self.target, self.target_starts, numbers, padding)
        if end is not None:
            targets = np.concatenate([targets, np.full((1, len(numbers)), padding, np.int32)])
            targets[self.target_lengths[numbers], np.arange(len(numbers))] = end
        return targets

    def take(self, numbers: npt.NDArray[np.intp]) -> Encoded:
        """The sources of these numbers, in this order, with their targets."""
        source, source_starts = _taken(self.source, self.source_starts, numbers)
        targets, targets_of = _taken(np.arange(len(self.target_starts) - 1), self.targets_of, numbers)
        target, target_starts = _taken(self.target, self.target_starts, targets)
        return Encoded(source, source_starts, target, target_starts, targets_of)

    def save(self, path: Path) -> None:
        """Writes the arrays as a safetensors file."""
        write_atomically(path, as_bytes({name: getattr(self, name) for name in asdict(self)}, {}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote; InputError, naming the file, for anything else."""
        arrays = read_tensors(path, what="file of pairs").arrays
        try:
            encoded = cls(**arrays)
        except TypeError:
            raise InputError(f"{path} is damaged: it has {', '.join(arrays) or 'nothing'}") from None
        if not encoded._whole():
            raise InputError(f"{path} is damaged: its sources and targets do not fit")
        return encoded

    def _whole(self) -> bool:
        """Whether each index stands inside what it is an index of."""
        starts = ((self.source_starts, len(self.source)), (self.target_starts, len(self.target)))
        kinds = (self.source.dtype.kind + str(self.source.ndim), self.target.dtype.kind + str(self.target.ndim))
        return (
            kinds in (("i1", "i1"), ("f2", "i1"))
            and all(_spans(*each) for each in (*starts, (self.targets_of, len(self.target_starts) - 1)))
            and len(self.targets_of) == len(self.source_starts)
        )


def _spans(starts: npt.NDArray[Any], end: int) -> bool:
    """Whether these are the starts of pieces that lie one after another from 0 to the end."""
    if starts.dtype != np.int64 or starts.ndim != 1 or not len(starts):
        return False
    return bool(starts[0] == 0 and starts[-1] == end and (np.diff(starts) >= 0).all())


def _starts(lengths: Sequence[int]) -> Whole:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def padded(values: npt.NDArray[Any], starts: Whole, numbers: Whole, padding: int) -> npt.NDArray[Any]:
    """The pieces of these numbers, one beside the other: [longest,B] or [longest,B,I]."""
    lengths = np.diff(starts)[numbers]
    steps = np.arange(int(lengths.max(initial=0)))[:, None]  # [S,1]
    inside = steps < lengths
    places = np.where(inside, starts[numbers] + steps, 0)
    return np.where(inside[..., None] if values.ndim > 1 else inside, values[places], padding).astype(values.dtype)


def _taken(values: npt.NDArray[Any], starts: Whole, numbers: npt.NDArray[np.intp]) -> tuple[npt.NDArray[Any], Whole]:
    """The pieces of these numbers, end to end, and where they start."""
    lengths = np.diff(starts)[numbers]
    begins = _starts(lengths.tolist())
    places = np.arange(begins[-1]) - np.repeat(begins[:-1] - starts[numbers], lengths)
    return values[places], begins
