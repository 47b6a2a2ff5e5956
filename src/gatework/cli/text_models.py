"""The language model that a command uses: without torch where that is enough, since it starts ten times as fast."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gatework.errors import InputError

if TYPE_CHECKING:
    from gatework.runtime import TextSession
    from gatework.text.data.vocabulary import Vocabulary
    from gatework.text.score import Progress, Score
    from gatework.text.trained import TorchReader
    from gatework.text.writing import Predict


class Reads(Protocol):
    """What reads texts, with torch or without."""

    @property
    def vocabulary(self) -> "Vocabulary": ...

    def score_tokens(
        self, tokens: Any, streams: int = 1, *, name: str = "the text", progress: "Progress | None" = None
    ) -> "Score": ...

    def each(self, tokens: Any, *, name: str = "the text") -> Iterator[tuple[str, float]]: ...


THREADS = "OMP_NUM_THREADS"  # which torch obeys too


def session(run: Path, device: str, threads: int = 1) -> "TextSession | None":
    """The model of a run folder or a model's file without torch; None where the run asks for what only torch has."""
    from gatework.lowering.codes import lacking
    from gatework.runtime import Model, TextSession

    if run.is_dir() and device != "cpu":
        return None
    model = Model.open(run)
    engine = dict(model.about.get("shape", {})).get("engine", "auto")
    lacks = [lacking(direction.program) for layer in model.network.layers for direction in layer.directions]
    if run.is_dir() and (engine not in ("auto", "native") or any(lacks)):
        return None
    if device != "cpu":
        raise InputError(f"device is {device!r}, and a model's file runs on the CPU; leave --device out")
    return TextSession(model, threads=threads)


def writer(run: Path, device: str) -> "tuple[Predict, Vocabulary]":
    """What predicts the next token, and the vocabulary."""
    if (opened := session(run, device)) is not None:
        return opened.predict, opened.vocabulary
    from gatework.text.run import Run
    from gatework.text.sampling import predicting

    folder = Run.open(run)
    return predicting(folder.model(device=device), folder.vocabulary), folder.vocabulary


def readers(run: Path, device: str, *, adapt: bool = False) -> "tuple[Reads, TorchReader | None]":
    """What reads texts and says how well it knows them; where it is to adapt, also what learns while it reads."""
    if adapt and not run.is_dir():
        raise InputError(f"{run} is a model's file, and only a run can adapt: name its folder, or leave --adapt out")
    free = None if adapt else session(run, device, processors())
    if free is not None and not free.vocabulary.conditions:
        return free, None
    from gatework.text.adaptation import adaptive
    from gatework.text.run import Run
    from gatework.text.trained import TorchReader

    folder = Run.open(run)
    network, vocabulary = folder.model(device=device), folder.vocabulary
    learner = TorchReader(network, vocabulary, adaptive(network, folder.corpus())) if adapt else None
    return TorchReader(network, vocabulary), learner


def processors() -> int:
    """How many threads share the work of many streams: those that the environment allows, or all processors."""
    asked = os.environ.get(THREADS, "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else os.cpu_count() or 1
