"""How the site reads the sources, as an extension of griffe: docstrings as Markdown, and the defaults of options."""

import re
from typing import Any

from griffe import Attribute, ExprCall, Extension, Object

SHAPES = re.compile(r"^Shapes:\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
OTHERS = re.compile(r"^Args:\n {4}Those of ", re.MULTILINE)
RETURNS = re.compile(r"^(Returns:\n)((?: {4}.*\n?|\n)+)", re.MULTILINE)
EQUATIONS = re.compile(r"(?:\A|(?<=\n\n))(\w+(?:, \w+)* = [^\n]*(?:\n\S[^\n]*)*)(?=\n\n)")
CALL = re.compile(r"(?:\A|(?<=\n\n))(forward\([^\n]*)(?=\n\n)")
PROMPTS = re.compile(r"^((?:>>>|\.\.\.) .*(?:\n(?:>>>|\.\.\.) .*)*)", re.MULTILINE)


def as_markdown(docstring: str) -> str:
    """A docstring whose equations and prompts are code, and whose shapes are a list."""
    text = EQUATIONS.sub(r"```text\n\1\n```", docstring)
    text = CALL.sub(r"```text\n\1\n```", text)
    text = PROMPTS.sub(r"```pycon\n\1\n```", text)
    text = OTHERS.sub("The arguments are those of ", text)
    text = SHAPES.sub(lambda match: "Shapes:\n" + _listed(match[1]), text)
    return RETURNS.sub(lambda match: match[1] + match[2].replace(": ", "&#58; "), text)  # a colon would end a type


def _listed(lines: str) -> str:
    return re.sub(r"^ {4}(?=\S)", "    - ", lines, flags=re.MULTILINE).replace("\n        ", "\n          ")


class Sources(Extension):
    """Applies `as_markdown` to every docstring; of `option(default, help, ...)` shows the default."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        if isinstance(attr.value, ExprCall) and str(attr.value.function) == "option":
            attr.value = attr.value.arguments[0]
