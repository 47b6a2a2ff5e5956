"""Pairs as people have them: sources, of symbols or of frames, and the targets that are right for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from gatework.decoding.ctc import frames_needed
from gatework.errors import InputError, shown
from gatework.pairs.data.symbols import UNITS, Level, Text, check_level, split
from gatework.pairs.data.tables import UNNAMED, Columns, Row, Rows, read_rows
from gatework.runs.numbers import as_numbers

Form = Literal["symbols", "frames"]
Frames = npt.NDArray[np.float32]  # [S,I]
MOST_SYMBOLS = 4_096  # of a source or a target: attention of one to the other takes 64 MiB
MOST_FRAMES = 65_536
_HALF = re.compile("[\ud800-\udfff]")  # surrogates, which are no characters,
_NOR_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # but for those as which Python keeps foreign bytes


@dataclass(frozen=True)
class Levels:
    """What a symbol of the source and of the target is."""

    source: Level = "char"
    target: Level = "char"

    def __post_init__(self) -> None:
        check_level(self.source)
        check_level(self.target)


CHARACTERS = Levels()


@dataclass(frozen=True)
class Examples:
    """N sources, each with the targets that are accepted for it.

    sources: of form "symbols" N texts, symbol by symbol, all different; of "frames" N arrays [S,I] of one width I.
    targets: of each source one or more; None where there are none. rows: where each source first stands, for errors.
    unnamed: the first source, and target, of a table whose columns nothing names: they may be names.
    """

    form: Form
    levels: Levels
    sources: list[Any]
    targets: list[tuple[Text, ...]] | None
    rows: list[str]
    unnamed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, numbers: npt.NDArray[np.intp]) -> Examples:
        """The examples of these numbers, in this order."""
        picked = numbers.tolist()
        return Examples(
            self.form,
            self.levels,
            [self.sources[k] for k in picked],
            None if self.targets is None else [self.targets[k] for k in picked],
            [self.rows[k] for k in picked],
        )


def read_examples(
    file: str | Path,
    levels: Levels = CHARACTERS,
    *,
    columns: Columns = UNNAMED,
    encoding: str | None = None,
    targets: bool = True,
) -> Examples:
    """Reads pairs from a file.

    file: "-" for standard input, or one of
        - a table, CSV (fields between the one of , ; tab | that the first line has most of, outside quotes) or, where
          its name ends in .tsv or its first line has a tab, fields between tabs, in which quotes are characters as
          others. Its first line may name the columns: it does where it has both "source" and "target", or where
          `columns` names others. Without such a line the table has two columns;
        - lines of JSON, and Parquet: "source", a text, a list of symbols, or numbers or vectors of them; "target", a
          text, or a list of several that are accepted, each a text or a list of symbols;
        - .npz: X [N,S,I] or [N,S] of numbers, y [N] of texts or [N,K] of several, and where they vary lengths [N].
    levels: what a symbol of a text is. encoding: of a text; by default what a byte order mark says, or UTF-8.
    targets: False for sources alone, which a file other than a table has one a line.

    A source of symbols in several rows has the targets of them all, in the order in which they come.

    Raises InputError, in one line that names the row, for whatever cannot be used.
    """
    with read_rows(file, columns, encoding, targets=targets) as rows:
        return _examples(rows, levels, str(file), targets=targets)


def given_examples(X: Any, y: Any = None, levels: Levels = CHARACTERS, name: str = "X") -> Examples:
    """Pairs given as Python objects: X as "source" and y as "target" of lines of JSON, see `read_examples`.

    name: what errors call X.
    """
    X, y = (table.to_numpy() if hasattr(table, "to_numpy") else table for table in (X, y))  # pandas, polars
    for each, values in ((name, X), ("y", y)):
        if values is not None and (isinstance(values, str | bytes) or not hasattr(values, "__len__")):
            raise InputError(f"{each} is {shown(values)}; expected several, such as a list of texts")
    if y is not None and len(X) != len(y):
        raise InputError(f"y has {len(y):,} targets, X {len(X):,} sources; expected as many of both")
    pairs = zip(X, [None] * len(X) if y is None else y, strict=True)
    rows = (Row(f"{name}[{k}]", _listed(source), target) for k, (source, target) in enumerate(pairs))
    return _examples(Rows(rows, str, lambda at: f"y{at.removeprefix(name)}"), levels, name, targets=y is not None)


def _listed(source: Any) -> Any:
    """A row of an array of texts as a list of symbols."""
    return source.tolist() if isinstance(source, np.ndarray) and source.dtype.kind in "UO" else source


@dataclass
class _Gathered:
    """Examples as they are read, one a source."""

    sources: list[Any] = field(default_factory=list)
    targets: list[dict[Text, None]] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    places: dict[Text, int] = field(default_factory=dict)

    def place(self, source: Text | Frames, at: str, *, merged: bool) -> int:
        """The number of a source: where they are merged that of the same text, if it came before."""
        number = len(self.sources)
        if merged and isinstance(source, tuple):
            number = self.places.setdefault(source, number)
        if number == len(self.sources):
            self.sources.append(source)
            self.targets.append({})
            self.rows.append(at)
        return number


def _examples(rows: Rows, levels: Levels, name: str, *, targets: bool) -> Examples:
    gathered, form = _Gathered(), None
    for row in rows:
        form = form or _form(row.source)
        source = _source(row.source, form, levels.source, rows.source_at(row.at))
        if form == "frames" and gathered.sources:
            _check_width(source, gathered, rows.source_at(row.at))
        number = gathered.place(source, row.at, merged=targets)
        if targets:
            texts = _targets(row.target, levels.target, rows.target_at(row.at))
            gathered.targets[number].update(dict.fromkeys(texts))
    if form is None:
        missing = "pairs; expected a source and a target" if targets else "sources; expected one"
        raise InputError(f"{name} has no {missing} in each row")
    accepted = [tuple(each) for each in gathered.targets] if targets else None
    return Examples(form, levels, gathered.sources, accepted, gathered.rows, rows.unnamed)


def _form(source: Any) -> Form:
    return "symbols" if isinstance(source, str) or _are_texts(source) else "frames"


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(each, str) for each in value)


def _source(value: Any, form: Form, level: Level, at: str) -> Any:
    if form == "symbols":
        if isinstance(value, str) or _are_texts(value):
            return _text(value, level, at)
        raise InputError(f"{at}: the source is {shown(value)}; expected a text, as in the first row")
    numbers = as_numbers(value, at)
    if np.isnan(numbers).any():
        step = int(np.isnan(numbers).any(1).argmax())
        raise InputError(f"{at}: step {step} is nan; expected finite numbers: fill the gap or leave the row out")
    return _checked(numbers, "frames", MOST_FRAMES, at)


def _check_width(source: Frames, gathered: _Gathered, at: str) -> None:
    width = gathered.sources[0].shape[1]
    if source.shape[1] != width:
        raise InputError(
            f"{at}: frames of {source.shape[1]} numbers, and {gathered.rows[0]} has frames of {width}; "
            "expected one width in all rows"
        )


def _targets(value: Any, level: Level, at: str) -> list[Text]:
    """The accepted targets that a cell has."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, str):
        return [_text(value, level, at)]
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) or _are_texts(each) for each in value):
        raise InputError(f"{at}: the target is {shown(value)}; expected a text, or a list of those that are accepted")
    if not value:
        raise InputError(f"{at}: the list of targets is empty: leave the row out")
    return [_text(each, level, at) for each in value]


def _text(value: str | Sequence[str], level: Level, at: str) -> Text:
    """The symbols of a text, or those given, one at least."""
    half = (_NOR_BYTE if level == "byte" else _HALF).search("".join(value))
    if half is not None:
        raise InputError(f"{at} has {shown(half[0])}, which is half a character: remove it")
    symbols = split(value, level) if isinstance(value, str) else _given(value, level, at)
    if not symbols:
        raise InputError(f"{at} is empty: leave the row out")
    return cast(Text, _checked(symbols, UNITS[level], MOST_SYMBOLS, at))


def _given(symbols: Sequence[str], level: Level, at: str) -> Text:
    """Symbols as they are."""
    if level != "symbol":
        raise InputError(f"{at} is {shown(symbols)}, a list of symbols; expected a text, or the level symbol")
    if wrong := [each for each in symbols if len(each.split()) != 1]:
        raise InputError(f"{at} has the symbol {shown(wrong[0])}; expected symbols without white space")
    return tuple(symbols)


def _checked(value: Any, unit: str, most: int, at: str) -> Any:
    if len(value) > most:
        raise InputError(f"{at} has {len(value):,} {unit}; expected {most:,} at most: cut it, or leave the row out")
    return value


# -- CTC


def check_frames(examples: Examples) -> None:
    """Raises InputError for a target of more symbols than CTC has source steps for."""
    for source, targets, row in zip(examples.sources, examples.targets or (), examples.rows, strict=False):
        for target in targets:
            if (needed := frames_needed(target)) > len(source):
                repeated = ", some repeated," if len(target) <= len(source) else ""
                raise InputError(
                    f"{row}: {len(target):,} target symbols{repeated} for {len(source):,} source steps; CTC needs "
                    f"{needed:,} or more: align by attention, or leave the row out"
                )


# -- parts


def split_examples(count: int, shares: Sequence[float], seed: int = 0) -> list[npt.NDArray[np.intp]]:
    """Cuts the numbers of `count` sources into random parts with such shares, the first with at least one.

    Since a source stands once among the examples, with all its targets, it is in one part alone.
    """
    ends = np.rint(np.cumsum(shares) * count).clip(1, count).astype(int)
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(part) for part in np.split(order, ends[:-1])]
