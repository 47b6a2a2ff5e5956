"""A language run as its run.json says it, without torch: its options, its vocabulary, its network."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from gatework.cells import Cell
from gatework.errors import InputError
from gatework.files.reading import Mark, check_marks
from gatework.network import Network
from gatework.runs.folder import DESCRIPTION, cell_from_json, cell_to_json, description
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.network import language_network
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


@dataclass(frozen=True)
class Described:
    """A language run: its settings, its text, its vocabulary.

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
    def open(cls, path: Path) -> Self:
        """Reads run.json; raises InputError, naming the file, where it is damaged."""
        return cls.of(path, description(path, TASK))

    @classmethod
    def of(cls, path: Path, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave, of the run in a folder; InputError, naming its run.json, for anything else."""
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
            run.check()
        except KeyError as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error} is missing") from error
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{path / DESCRIPTION} is damaged: {error}") from error
        return run

    def check(self) -> None:
        """Raises InputError or EquationError where its cell, sizes and options contradict."""
        self.network()

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

    def network(self) -> Network:
        """tokens [T,B] -> log p [T,B,V]."""
        return language_network(self.cell, len(self.vocabulary), self.shape, len(self.vocabulary.conditions))


def network_of(path: Path, values: Mapping[str, Any]) -> Network:
    """The network of the run in a folder, from what its run.json says."""
    return Described.of(path, values).network()
