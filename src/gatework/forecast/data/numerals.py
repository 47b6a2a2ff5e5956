"""Numbers as people write them: which mark sets off decimals and which thousands, a column says as a whole."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gatework.forecast.data.texts import Column, blocks, letters

Numbers = npt.NDArray[np.float64]
Mark = Literal[".", ","]

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nat"})
BOOLEANS = {"true": "1", "false": "0"}
LIKE = str.maketrans(  # characters that are written for others: minus signs, spaces that do not break, apostrophes
    dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-")
    | dict.fromkeys("\u00a0\u202f\u2009\u2007\u2002", " ")
    | dict.fromkeys("\u2019\u02bc\u00b4`", "'")
)
GROUPS = (",", ".", "'", " ", "_")
PLAIN = np.isin(np.arange(256), np.frombuffer(b"0123456789+-eE.\0", np.uint8))  # bytes of numbers without groups
LOOKED_AT = 1000  # numbers with a point that may show what it means
NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)


@dataclass(frozen=True)
class Convention:
    """One way to write numbers: the mark before decimals, and the one between thousands."""

    decimal: Mark
    group: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a number looks like: 1234.5, .5, 5., 1e3, or in groups of three digits; with commas also 12,34,567."""
        d, g = re.escape(self.decimal), re.escape(self.group)
        indian = r"|[1-9]\d?(?:,\d\d)+,\d{3}" if self.group == "," else ""
        grouped = rf"(?:[1-9]\d{{0,2}}(?:{g}\d{{3}})+{indian})(?:{d}\d*)?"
        return re.compile(rf"[+-]?(?:{grouped}|(?:\d+(?:{d}\d*)?|{d}\d+)(?:[eE][+-]?\d+)?)")

    def plain(self, text: str) -> str:
        """A number as Python writes it."""
        return text.replace(self.group, "").replace(self.decimal, ".")


CONVENTIONS = {
    convention: convention.pattern for convention in (Convention(d, g) for d in (".", ",") for g in GROUPS if g != d)
}


class NumeralError(ValueError):
    """A text of a column is no number as the others are, or has two meanings: `text`, as it stands; `why`, in words."""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(text)
        self.text, self.why = text, why


@dataclass(frozen=True)
class Numerals:
    """Numbers read [n], NaN where missing; note: how a doubt was settled."""

    values: Numbers
    note: str = ""


def is_missing(text: str) -> bool:
    """Whether a text holds nothing, as it is or as programs write it: NA, NaN, null, ..."""
    return text.strip().lower() in MISSING


def is_number(text: str) -> bool:
    """Whether a text by itself is a number."""
    text = _bare(text)
    return any(pattern.fullmatch(text) for pattern in CONVENTIONS.values()) or bool(NOT_FINITE.fullmatch(text))


def _bare(text: str) -> str:
    """A text with the characters that Python's numbers have: one minus, one space, one apostrophe; true and false."""
    text = text.strip().translate(LIKE)
    return BOOLEANS.get(text.lower(), text)


def read_numerals(texts: Sequence[str], decimal: Mark | None = None, points: bool = True) -> Numerals:
    """The numbers that the texts of a column stand for, all of them written in one way.

    decimal: the mark before decimals, where it is known. points: a point that could set off thousands as well, in a
        column that has no other mark, sets off decimals.
    Raises NumeralError for a text that is no number, and where two ways to read a column give other numbers.
    """
    present = [text for text in texts if not is_missing(text)]
    signs, note = _sign_of(present), ""
    if signs:
        note = f"numbers such as {present[0]!r} are read without their {signs}"
    words = {text: _without(_bare(text), signs) for text in present}
    finite = [word for word in words.values() if not NOT_FINITE.fullmatch(word)]
    fitting = [
        convention
        for convention, pattern in CONVENTIONS.items()
        if decimal in (None, convention.decimal) and all(map(pattern.fullmatch, finite))
    ]
    if not fitting:
        raise _misfit(words, decimal)
    convention = _settled(words, fitting, points)
    read = {text: float(convention.plain(word)) for text, word in words.items()}
    return Numerals(np.array([read.get(text, np.nan) for text in texts], np.float64), note)


def _settled(words: dict[str, str], fitting: Sequence[Convention], points: bool) -> Convention:
    """The convention among those that a column fits; NumeralError where they make other numbers of it."""
    doubtful = [text for text, word in words.items() if _has_two_meanings(word, fitting)]
    if not doubtful:
        return fitting[0]
    commas = [text for text in doubtful if "," in text]
    if commas or not points:
        mark = "comma" if commas else "point"
        why = f'is its {mark} a decimal point, or thousands? the column does not tell: give --decimal "." or ","'
        raise NumeralError((commas or doubtful)[0], why)
    return next(each for each in fitting if each.decimal == ".")


def _has_two_meanings(word: str, conventions: Sequence[Convention]) -> bool:
    """Whether conventions that a text fits make other numbers of it."""
    return ("." in word or "," in word) and len({each.plain(word) for each in conventions}) > 1


def _misfit(words: dict[str, str], decimal: Mark | None) -> NumeralError:
    """The first text written unlike the majority."""
    patterns = [pattern for each, pattern in CONVENTIONS.items() if decimal in (None, each.decimal)]
    fits = [[bool(each.fullmatch(word) or NOT_FINITE.fullmatch(word)) for word in words.values()] for each in patterns]
    text = list(words)[max(fits, key=sum).index(False)]
    return NumeralError(text, "is its comma a decimal point, or thousands? write it without" if "," in text else "")


def _sign_of(texts: Sequence[str]) -> str:
    """The currency or percent sign that all numbers have, before or after them; "" for none, or several."""
    signs = {"".join(letter for letter in text if _is_sign(letter)) for text in texts}
    return signs.pop() if len(signs) == 1 else ""


def _is_sign(letter: str) -> bool:
    return letter == "%" or unicodedata.category(letter) == "Sc"


def _without(text: str, sign: str) -> str:
    """A number without its sign, which stands before or after it: -$5, $-5, 5 %."""
    if not sign:
        return text
    before, sign_there, after = text.partition(sign)
    return text if not sign_there or (before.strip(" +-") and after.strip()) else before.strip() + after.strip()


def plain_numbers(column: Column, points: bool, decimal: Mark | None) -> Numbers | None:
    """Texts in bytes as numbers [n] at once, NaN for "", where all are as Python writes them; None for others."""
    if column.dtype.kind != "S" or decimal == "," or not all(PLAIN[letters(block)].all() for block in blocks(column)):
        return None
    try:
        values = np.where(column == b"", b"nan", column).astype(np.float64)
    except ValueError:
        return None
    return values if points or decimal == "." or _shows_decimals(column) else None


def _shows_decimals(column: Column) -> bool:
    """Whether one of the first numbers with a point shows that it sets off decimals, or none has a point."""
    pointed = column[np.concatenate([(letters(block) == ord(".")).any(1) for block in blocks(column)])]
    thousands = CONVENTIONS[Convention(",", ".")]
    return not len(pointed) or not all(thousands.fullmatch(text.decode()) for text in pointed[:LOOKED_AT].tolist())
