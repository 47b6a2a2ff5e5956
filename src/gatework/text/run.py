"""A language run on disk: its settings, its text, and a model of its shape."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.files.reading import Mark, check_marks
from gatework.runs.folder import DESCRIPTION, cell_from_json, cell_to_json, description
from gatework.runs.weights import trained
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel, check_model
from gatework.text.options import Batching, Shape, Text
from gatework.training.settings import Settings

TASK = "language"
TOKENS = "tokens.bin"


def _check_origin(values: Any) -> Mapping[str, Any] | None:
    """What run.json says of the run that a run began from; ValueError for anything else."""
    kinds = {"run": str, "weights": str, "step": int}
    if values is None or (isinstance(values, dict) and {name: type(each) for name, each in values.items()} == kinds):
        return values
    raise ValueError("the run that it began from is none")


def language_model(cell: Cell, vocabulary: Vocabulary, shape: Shape) -> LanguageModel:
    """A model for texts of this vocabulary, its weights drawn from torch's generator."""
    return LanguageModel(cell, len(vocabulary), shape, len(vocabulary.conditions))


@dataclass(frozen=True)
class Run:
    """A language run on disk, opened: its settings, its text and a model of its shape.

    origin: of a run that began with the weights of another one, that one's folder, and the checkpoint and its step.
    files: those that the text was read from, as they were; digest: that of its tokens (None in older runs).
    """

    path: Path
    cell: Cell
    shape: Shape
    batching: Batching
    settings: Settings
    text: Text
    counts: Counts
    vocabulary: Vocabulary
    origin: Mapping[str, Any] | None = None
    files: tuple[Mark, ...] = ()
    digest: str | None = None

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        values = description(path, TASK)
        try:
            run = cls(
                path,
                cell_from_json(values["cell"]),
                Shape(**values["shape"]),
                Batching(**values["batching"]),
                Settings.from_dict(values["settings"]),
                Text.from_json(values["text"]),
                Counts.from_json(values["counts"]),
                Vocabulary.from_json(values["vocabulary"]),
                _check_origin(values.get("from")),
                check_marks(values.get("files", ())),
                values.get("digest"),
            )
            check_model(run.cell, len(run.vocabulary), run.shape, len(run.vocabulary.conditions))
        except KeyError as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error} is missing") from error
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error}") from error
        return run

    def to_json(self) -> dict[str, Any]:
        """What run.json has of it, and `open` reads."""
        values = {
            "cell": cell_to_json(self.cell),
            "shape": asdict(self.shape),
            "batching": asdict(self.batching),
            "settings": self.settings.to_dict(),
            "text": self.text.to_json(),
            "counts": self.counts.to_json(),
            "vocabulary": self.vocabulary.to_json(),
            "files": list(self.files),
            "digest": self.digest,
        }
        return values if self.origin is None else values | {"from": dict(self.origin)}

    def corpus(self) -> Corpus:
        """The prepared text."""
        return Corpus.open(self.path / TOKENS, self.vocabulary, self.text.splits, self.counts, self.digest)

    def untrained(self, engine: str | None = None) -> LanguageModel:
        """A model of the run's shape with fresh weights, with its engine or another one."""
        torch.manual_seed(self.settings.seed)
        shape = self.shape if engine is None else replace(self.shape, engine=engine)
        return language_model(self.cell, self.vocabulary, shape)

    def model(self, *, device: str = "cpu") -> LanguageModel:
        """The trained model, in evaluation mode: the best weights, or the last where none were evaluated."""
        return trained(self.untrained, self.path, device)
