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
RUN: dict[Level, int] = {"byte": 16, "char": 16, "word": 8}  # tokens that make a repetition


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
    None for one-hot input of V units. tied: the output weights are the embedding's. softmax: see
    `gatework.text.network.cutoffs`. The rest is as in gw.Recurrent.
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
    softmax: Literal["full", "adaptive"] = option("full", "Over all words at once, or the rare ones in clusters.")
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

    validate_on: at most so many tokens of the validation part are used while training, in pieces spread over it, which
        are the same whatever the streams.
    """

    streams: int = option(32, "Streams of text read side by side (the batch).", least=1)
    steps: int = option(64, "Time steps between two updates (truncated backpropagation).", least=1, name="bptt")
    validate_on: int = option(50_000, least=1)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Draw:
    """How the next token is drawn: by its chance p ~ exp(log p / temperature) among the tokens that are left in.

    temperature: 0 takes the likeliest token. repetition: the chance of a token that would make the last n tokens or
        more a repetition of earlier ones is divided by this, once for n tokens repeated, twice for n + 1, and so on,
        so that no loop lasts; 1 for off. It is the penalty of Keskar et al. (2019), whose n is 1: among characters
        that would forbid the alphabet, so n is `RUN`. top_k: only the k likeliest are left in. top_p: only the
        likeliest that together have at least this probability (Holtzman et al. 2020). None for all. min_p: only those
        at least this share as likely as the likeliest (Nguyen et al. 2024); 0 for all.

    They act in this order. With those that are off, a seed writes what it writes without them. Raises InputError.
    """

    temperature: float = option(1.0, "Below 1 bolder, above 1 wilder; 0 takes the likeliest.")
    top_k: int | None = option(None, "Draw among the k likeliest tokens only.")
    top_p: float | None = option(None, "Draw among the likeliest with this probability together.")
    min_p: float = option(0.05, "Leave out what is less than this share as likely as the likeliest; 0 for nothing.")
    repetition: float = option(1.2, "Divide the chance of going on with a repetition by this, again and again; 1: off.")

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature is {self.temperature}; expected 0 (the likeliest token) or more")
        if self.top_k is not None and self.top_k < 1:
            raise InputError(f"top-k is {self.top_k}; expected 1 or more tokens")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top-p is {self.top_p}; expected a probability above 0, at most 1")
        if not 0 <= self.min_p <= 1:
            raise InputError(
                f"min-p is {self.min_p}; expected a share of the likeliest's probability, from 0 (off) to 1"
            )
        if not 1 <= self.repetition < float("inf"):
            raise InputError(f"repetition is {self.repetition}; expected a number of 1 (off) or more, such as 1.2")


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
