"""The error that a user causes and a user can mend, and how what users gave is shown."""

import json
import re
from collections.abc import Callable
from typing import Any

LONGEST_WORD = 400  # characters of a message without a space between them; most paths are shorter
LONGEST = 1500  # characters of a message
LONGEST_FIELD = 60  # characters of a name in a table
LONGEST_VALUE = 40  # characters of a value in a message

# What layers and training need and what was trained does not, and what to say where it is not there.
TRAINING = ("torch", "safetensors")
NO_TORCH = "needs torch, which is not installed: pip install 'gatework[train]'"

# What a terminal would obey, or what would write backwards; \udc80 to \udcff are bytes of names that are not UTF-8.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was given, what was expected, the remedy. What was given is shown in it with its
    control characters escaped, and cut where it is long. The command line prints it and ends with status 2; nothing
    is half-written when it is raised. (What is wrong in a cell's text is a `gatework.EquationError`, of the
    notation's own; both are ValueErrors.)

    Args:
        message: of any length and any characters, from which the line is made.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def escaped(character: str) -> str:
    """A character as Python writes it, a byte that is not UTF-8 as that byte: "\\x1b", "\\xff"."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def printable(text: str, keep: str = "", escape: Callable[[str], str] = escaped) -> str:
    """A text with its control characters escaped, but for those in `keep`."""
    return _UNSHOWN.sub(lambda match: match[0] if match[0] in keep else escape(match[0]), text)


def shortened(text: str, most: int = LONGEST_FIELD) -> str:
    """A text of `most` characters at most: where it is longer, its beginning and its end."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]}...{text[-end:]}"


def one_line(message: str) -> str:
    """A message as users see it: printable, in one line, neither it nor a word of it longer than can be read."""
    line = " ".join(printable(message, keep="\n\t\r").split())
    return shortened(re.sub(r"\S+", lambda word: shortened(word[0], LONGEST_WORD), line), LONGEST)


def field(text: str) -> str:
    """A user's text as a field of a table: printable, and cut where it is long."""
    return shortened(printable(text))


def shown(value: Any) -> str:
    """A value in an error: as JSON has it, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
