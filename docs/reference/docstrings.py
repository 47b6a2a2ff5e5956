"""How the site reads docstrings: what is laid out by its lines there stays so in Markdown. An extension of griffe."""

import re
from typing import Any

from griffe import Extension, Object

SHAPES = re.compile(r"^Shapes:\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
RETURNS = re.compile(r"^(Returns:\n)((?: {4}.*\n?|\n)+)", re.MULTILINE)
EQUATIONS = re.compile(r"(?:\A|(?<=\n\n))(\w+(?:, \w+)* = [^\n]*(?:\n\S[^\n]*)*)(?=\n\n)")
CALL = re.compile(r"(?:\A|(?<=\n\n))(forward\([^\n]*)(?=\n\n)")
PROMPTS = re.compile(r"^((?:>>>|\.\.\.) .*(?:\n(?:>>>|\.\.\.) .*)*)", re.MULTILINE)


def as_markdown(docstring: str) -> str:
    """A docstring whose equations and prompts are code, and whose shapes are a list."""
    text = EQUATIONS.sub(r"```text\n\1\n```", docstring)
    text = CALL.sub(r"```text\n\1\n```", text)
    text = PROMPTS.sub(r"```pycon\n\1\n```", text)
    text = SHAPES.sub(lambda match: "Shapes:\n" + _listed(match[1]), text)
    return RETURNS.sub(lambda match: match[1] + match[2].replace(": ", "&#58; "), text)  # a colon would end a type


def _listed(lines: str) -> str:
    return re.sub(r"^ {4}(?=\S)", "    - ", lines, flags=re.MULTILINE).replace("\n        ", "\n          ")


class Docstrings(Extension):
    """Applies `as_markdown` to everything that has a docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
