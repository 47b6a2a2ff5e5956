"""What a language model learns from, its sizes, and how its text is read: every option, checked.

How long and how fast it is trained is said by gatework.training.settings.Settings.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gatework.errors import InputError
from gatework.options import Switch, check, option
from gatework.runs.arguments import MOST_LAYERS
from gatework.runs.parts import UNKNOWN, Splits, check_splits

Level = Literal["byte", "char", "word"]
Rules = str | dict[str, str]  # how weights start: one rule, or rules by name or pattern

SIZES: dict[Level, int] = {"byte": 256, "char": 1024, "word": 10_000}
SPLITS: Splits = (0.9, 0.05, 0.05)


@dataclass(frozen=True)
class Text:
    """What to read and how, documents with conditions or plain text: see `gatework.text.data.prepare`.

    documents: None for documents where all paths end in .jsonl.
    """

    paths: tuple[str, ...]
    level: Level = option("char", "What a token is.")
    suffixes: tuple[str, ...] = option((), "Read only such files of a directory: .py; repeatable.", name="suffix")
    exclude: tuple[str, ...] = option((), "Leave out files and folders of this name, * and ? allowed; repeatable.")
    documents: bool | None = option(
        None,
        'The text is JSONL, {"text": ..., "condition": ...} a line.  [default: if it is called .jsonl]',
        name="documents/plain",
    )
    size: int | None = option(
        None, "Tokens to know at most.  [default: 1024 characters, 10000 words]", name="vocabulary"
    )
    splits: Splits = option(SPLITS, "Shares of the text for training, validation and test.", metavar="A,B,C")

    def __post_init__(self) -> None:
        check_level(self.level)
        check_size(self.level, self.size)
        check_splits(self.splits)
        if self.documents is None:
            object.__setattr__(self, "documents", bool(self.paths) and all(map(is_jsonl, self.paths)))

    def to_json(self) -> dict[str, Any]:
        """The fields; `documents` only where it is true, so that plain text is described as it ever was."""
        return {name: value for name, value in asdict(self).items() if name != "documents" or value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Text":
        """What `to_json` gave, its tuples now lists."""
        fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        return cls(**{"documents": False} | fields)


@dataclass(frozen=True)
class Shape:
    """The sizes and options of a language model; every field is a JSON value.

    hidden, layers, projection: H, L and R of the recurrent layers. embedding: units that stand for a token;
    None for one-hot input of V units. tied: the output weights are the embedding's. The rest is as in gw.Recurrent.
    """

    hidden: int = option(256, "Units of each recurrent layer, H.", least=1)
    layers: int = option(1, "Recurrent layers, L.", least=1, most=MOST_LAYERS)
    projection: int = option(0, "Project the output to so many units, R; 0 for none.")
    embedding: int | None = option(
        64,
        "Units that stand for a token.",
        least=1,
        switches=(Switch("one-hot", None, "Feed tokens one-hot, without an embedding."),),
    )
    tied: bool = option(False, "Use the embedding's weights for the output too.")
    dropout: float = option(0.0, "Dropout between layers and before the output.", most=1)
    variational: bool = option(False, "One dropout mask for all steps.")
    recurrent_dropout: dict[str, float] = option(dict, "Inside the cell, by value: g=0.1")
    zoneout: dict[str, float] = option(dict, "States that stand still at random: h=0.05")
    residual: bool = option(False, "Each layer but the first adds its input to its output.")
    initial: str = option("zero", switches=(Switch("learned-start", "learned", "Learn the first state."),))
    init: Rules | None = option(
        None, "How weights start: torch, chrono(100), ..., or by name or pattern: 'g_*=1'; repeatable."
    )
    engine: str = option("auto", "What executes the cell.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Batching:
    """Streams N read side by side, and steps M of each between two updates (truncated backpropagation).

    validate_on: at most so many tokens of the validation part are used while training, in pieces spread over it.
    """

    streams: int = option(32, "Streams of text read side by side (the batch).", least=1)
    steps: int = option(64, "Time steps between two updates (truncated backpropagation).", least=1, name="bptt")
    validate_on: int = option(100_000, least=1)

    def __post_init__(self) -> None:
        check(self)


def is_jsonl(path: str) -> bool:
    """Whether a file is taken to be documents, a line of JSON each."""
    return path.lower().endswith(".jsonl")


def check_level(level: str) -> None:
    """Raise InputError unless the level is one of byte, char and word."""
    if level not in SIZES:
        raise InputError(f"unknown level {level!r}: choose byte, char or word")


def check_size(level: Level, size: int | None) -> int:
    """Give the vocabulary size asked for, or the level's default; InputError if it makes no sense."""
    check_level(level)
    if size is None:
        return SIZES[level]
    if level == "byte" and size != SIZES["byte"]:
        raise InputError(f"a vocabulary of {size} bytes was asked for: there are always 256, give no size")
    if size < 2:
        raise InputError(f"a vocabulary of {size} was asked for: it takes at least 2, one and {UNKNOWN}")
    return size
