"""What a reader of a text could keep in mind, as a number for every character just read: in a string, how deep, ..."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pygments.lexers import TextLexer, get_lexer_for_filename  # type: ignore[import-untyped]
from pygments.token import Comment, String  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

Labels = NDArray[np.float32]

MEANINGS = {
    "in_quote": "whether it is inside a quoted string",
    "comment": "whether it is inside a comment",
    "depth": "how many brackets are open",
    "indent": "how far the line is indented",
    "line_pos": "how many characters of the line have been read",
    "after_space": "whether a space or a new line was just read",
    "word_pos": "how many letters of the word have been read",
    "upper": "whether a capital letter was just read",
    "in_cap_word": "whether it is inside a word that began with a capital letter",
}
BEGINNING, ENDING = frozenset("([{"), frozenset(")]}")
QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}  # of prose, and what ends them


@dataclass(frozen=True)
class _Marked:
    """Where strings and comments are, by a lexer run from the start of the text: bool [C] each."""

    quoted: NDArray[np.bool_]
    comment: NDArray[np.bool_]
    language: str


def labels(text: str, name: str, suffixes: Sequence[str] = ()) -> tuple[dict[str, Labels], str]:
    """The labels [C] of all characters of a text, and the language that it was read as.

    name: of its file, which says the language; suffixes: those the model was trained on, where the name says nothing.
    """
    marked = _marks(text, name, suffixes)
    codes = np.array(list(text), dtype="<U1")
    plain = ~(marked.quoted | marked.comment)
    space, line_end = np.char.isspace(codes), codes == "\n"
    letter = np.char.isalnum(codes) | (codes == "_")
    capital = np.char.isupper(codes)
    word_pos = _since(~letter)
    first = np.arange(len(text)) - np.maximum(word_pos - 1, 0)  # of each character's word
    by_name = {
        "in_quote": marked.quoted,
        "comment": marked.comment,
        "depth": _depth(text, plain, marked.language),
        "indent": _indent(space & ~line_end, line_end),
        "line_pos": _since(line_end),
        "after_space": space,
        "word_pos": word_pos,
        "upper": capital,
        "in_cap_word": letter & capital[first],
    }
    return {label: values.astype(np.float32) for label, values in by_name.items()}, marked.language


def _marks(text: str, name: str, suffixes: Sequence[str]) -> _Marked:
    """Strings and comments; in prose what stands in quotes, each paragraph by itself."""
    lexer = _lexer_of(name, suffixes)
    if isinstance(lexer, TextLexer):
        return _Marked(_quoted_prose(text), np.zeros(len(text), bool), "plain text")
    quoted, comment = np.zeros(len(text), bool), np.zeros(len(text), bool)
    for index, kind, value in lexer.get_tokens_unprocessed(text):
        place = slice(index, index + len(value))
        quoted[place], comment[place] = kind in String, kind in Comment
    return _Marked(quoted, comment, str(lexer.name))


def _lexer_of(name: str, suffixes: Iterable[str]) -> Any:
    """What reads a file of this name; else one of these suffixes; else plain text."""
    for each in (name, *(f"text{suffix}" for suffix in suffixes)):
        try:
            return get_lexer_for_filename(each)
        except ClassNotFound:
            continue
    return TextLexer()


def _quoted_prose(text: str) -> NDArray[np.bool_]:
    """Between quotation marks, these included; a blank line ends what was left open."""
    quoted = np.zeros(len(text), bool)
    end = ""
    for index, character in enumerate(text):
        if text.startswith("\n\n", index):
            end = ""
        quoted[index] = bool(end)
        if end:
            end = "" if character == end else end
        elif character in QUOTES:
            end, quoted[index] = QUOTES[character], True
    return quoted


def _depth(text: str, plain: NDArray[np.bool_], language: str) -> NDArray[np.int64]:
    """How many brackets are open after each character; those in strings and comments do not count.

    In prose, where brackets need no partner, a blank line closes all.
    """
    open_after = np.zeros(len(text), np.int64)
    opened, prose = 0, language == "plain text"
    for index, character in enumerate(text):
        if prose and text.startswith("\n\n", index):
            opened = 0
        elif plain[index] or prose:
            opened = max(0, opened + (character in BEGINNING) - (character in ENDING))
        open_after[index] = opened
    return open_after


def _indent(blank: NDArray[np.bool_], line_end: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The white space that a line began with, as far as it has been read; 0 on the end of a line."""
    position, lines = _since(line_end), np.cumsum(line_end)
    least = np.full(lines.max(initial=0) + 1, len(blank))  # of each line: what stands before the first that is no space
    np.minimum.at(least, lines, np.where(blank | line_end, len(blank), position - 1))
    return np.where(line_end, 0, np.minimum(position, least[lines]))


def _since(reset: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many steps it is since the last True, or the start: 0 on a True, then 1, 2, ..."""
    steps = np.arange(len(reset))
    return steps - np.maximum.accumulate(np.where(reset, steps, -1))
