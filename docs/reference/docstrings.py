"""How the site reads the sources, as an extension of griffe: docstrings as Markdown, dataclasses as Python has them."""

import re
from collections.abc import Iterator
from typing import Any

from griffe import (
    Attribute,
    Class,
    ExprCall,
    Extension,
    Module,
    NameResolutionError,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

SHAPES = re.compile(r"^Shapes:\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
OTHERS = re.compile(r"^Args:\n {4}Those of ", re.MULTILINE)
RETURNS = re.compile(r"^(Returns:\n)((?: {4}.*\n?|\n)+)", re.MULTILINE)
EQUATIONS = re.compile(r"(?:\A|(?<=\n\n))(\w+(?:, \w+)* = [^\n]*(?:\n\S[^\n]*)*)(?=\n\n)")
CALL = re.compile(r"(?:\A|(?<=\n\n))(forward\([^\n]*)(?=\n\n)")
PROMPTS = re.compile(r"^((?:>>>|\.\.\.) .*(?:\n(?:>>>|\.\.\.) .*)*)", re.MULTILINE)

_LITERALS = ("None", "True", "False")


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
    """Applies `as_markdown` to every docstring; shows the signatures of dataclasses with the values of defaults."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        if isinstance(attr.value, ExprCall) and str(attr.value.function) == "option":
            attr.value = attr.value.arguments[0]

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        for cls in _dataclasses(pkg):
            init = cls.members["__init__"]
            for parameter in init.parameters:
                field = cls.all_members.get(parameter.name)
                if field is not None and field.is_attribute:
                    _mend(parameter, field)
            init.parameters = Parameters(
                *sorted(init.parameters, key=lambda each: each.kind is ParameterKind.keyword_only)
            )


def _dataclasses(scope: Module | Class) -> Iterator[Class]:
    for member in scope.members.values():
        if not member.is_alias and (member.is_module or member.is_class):
            if "dataclass" in member.labels and "__init__" in member.members:
                yield member
            yield from _dataclasses(member)


def _mend(parameter: Parameter, field: Attribute) -> None:
    """What griffe overlooks: `kw_only=False` of a field, and that a default is the one of another class."""
    if "kw_only=False" in str(field.value):
        parameter.kind = ParameterKind.positional_or_keyword
    for _ in range(3):  # a name of a name
        if not re.fullmatch(r"[A-Za-z_][\w.]*", str(parameter.default)) or str(parameter.default) in _LITERALS:
            return
        scope, _, rest = str(parameter.default).partition(".")
        try:
            found = field.modules_collection[".".join(filter(None, [field.parent.resolve(scope), rest]))]
        except (KeyError, NameResolutionError):
            return
        if found.is_function or found.value is None:
            return
        parameter.default, field = found.value, found.final_target if found.is_alias else found
