"""The language model that a command uses: without torch where that is enough."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gatework.cli.without_torch import opened, processors
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


def session(run: Path, device: str, threads: int = 1) -> "TextSession | None":
    """The model of a run folder or a model's file without torch; None where the run asks for what only torch has."""
    if (model := opened(run, device)) is None:
        return None
    from gatework.runtime import TextSession

    return TextSession(model, threads=threads)


def writer(run: Path, device: str) -> "tuple[Predict, Vocabulary]":
    """What predicts the next token, and the vocabulary."""
    if (free := session(run, device)) is not None:
        return free.predict, free.vocabulary
    from gatework.text.run import Run
    from gatework.text.sampling import predicting

    folder = Run.open(run)
    return predicting(folder.model(device=device), folder.vocabulary), folder.vocabulary


def readers(run: Path, device: str, *, adapt: bool = False) -> "tuple[Reads, TorchReader | None]":
    """What reads texts and says how well it knows them; where it is to adapt, also what learns while it reads."""
    if adapt and not run.is_dir():
        raise InputError(f"{run} is a model's file, and only a run can adapt: name its folder, or leave --adapt out")
    free = None if adapt else session(run, device, processors())
    if free is not None:
        return free, None
    from gatework.text.adaptation import adaptive
    from gatework.text.run import Run
    from gatework.text.trained import TorchReader

    folder = Run.open(run)
    network, vocabulary = folder.model(device=device), folder.vocabulary
    learner = TorchReader(network, vocabulary, adaptive(network, folder.corpus())) if adapt else None
    return TorchReader(network, vocabulary), learner
