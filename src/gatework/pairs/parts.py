"""Pairs cut into parts, to learn from, to choose by, held out; and saved to go on with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gatework.errors import InputError
from gatework.files.reading import blamed
from gatework.pairs.data.encoded import Encoded, inputs_of, outputs_of
from gatework.pairs.data.examples import Examples, check_frames, split_examples
from gatework.pairs.data.symbols import UNLISTED, Symbols
from gatework.pairs.description import Described
from gatework.pairs.options import Options
from gatework.pairs.sizes import fitted
from gatework.runs.parts import Splits

NAMES = ("training", "validation", "test")


@dataclass(frozen=True)
class Parts:
    """The prepared pairs to learn from, to choose the best weights by, and held out; a part may have no source.

    whole: all of them, in this order; counts: sources of each part.
    """

    whole: Encoded
    counts: Mapping[str, int]

    @cached_property
    def training(self) -> Encoded:
        return self._part("training")

    @cached_property
    def validation(self) -> Encoded:
        return self._part("validation")

    @cached_property
    def test(self) -> Encoded:
        return self._part("test")

    def _part(self, name: str) -> Encoded:
        first = sum(self.counts[each] for each in NAMES[: NAMES.index(name)])
        return self.whole.take(np.arange(first, first + self.counts[name]))


def prepared(examples: Examples, options: Options, splits: Splits, processes: int = 1) -> tuple[Described, Parts, str]:
    """Cuts pairs into parts, by source, and settles by the training part how they are read and how large the model is.

    Returns the sizes' reasons as a sentence too. Raises InputError for pairs without targets, and for what CTC cannot
    align.
    """
    if examples.targets is None:
        raise InputError(f"{examples.rows[0]} has no target: expected one in every row")
    if options.align == "ctc":
        check_frames(examples)
    elif examples.form == "frames":
        raise InputError(f"{examples.rows[0]}: the source is of numbers, which CTC aligns: --align ctc")
    rows = split_examples(len(examples), splits, options.random_state)
    learnt = examples.take(rows[0])
    inputs, outputs = inputs_of(learnt), outputs_of(learnt)
    whole = Encoded.of(examples.take(np.concatenate(rows)), inputs, outputs)
    parts = Parts(whole, dict(zip(NAMES, map(len, rows), strict=True)))
    options, why = fitted(options, parts.training, processes)
    return Described(options, inputs, outputs, int(parts.training.target_lengths.max())), parts, why


def save_parts(path: Path, parts: Parts) -> str:
    """Writes the parts as one file of arrays; returns its digest."""
    parts.whole.save(path)
    return _digest(path)


def load_parts(path: Path, job: Described, counts: Mapping[str, int], digest: str) -> Parts:
    """What `save_parts` wrote; InputError, naming the file, where it is not what a run of this job was given."""
    whole = Encoded.load(path)
    if digest != _digest(path) or sum(counts.values()) != len(whole):
        raise InputError(f"{path} is damaged: its content does not match its digest; train anew")
    _check_numbers(path, whole, job)
    return Parts(whole, counts)


def _check_numbers(path: Path, encoded: Encoded, job: Described) -> None:
    """Raises InputError for symbols that the job does not have."""
    ranges = [("target", encoded.target, UNLISTED, len(job.outputs))]
    if isinstance(job.inputs, Symbols):
        ranges.append(("source", encoded.source, 0, len(job.inputs)))
    elif encoded.source.shape[1:] != (job.inputs.width,):
        raise InputError(f"{path} is damaged: its frames are not of {job.inputs.width} numbers")
    for name, numbers, least, end in ranges:
        if numbers.size and (numbers.min() < least or numbers.max() >= end):
            raise InputError(f"{path} is damaged: {name} holds numbers that are not from {least} to {end - 1}")


def _digest(path: Path) -> str:
    """A hash of a file."""
    with blamed("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
