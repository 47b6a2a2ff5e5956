"""The reference says of each public name what it takes, returns and raises.

Of each name that docs/reference lists, and of its members there: the docstring names every argument, or says that they
are "those of" another; a function whose docstring is more than its one sentence has Returns where it returns something;
each error of gatework that it raises itself is named. Properties say in their sentence what they are.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import gatework as gw

PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference").glob("*.md"))
ENTRY = re.compile(r"^::: (\S+)\n((?: {4}.*\n)*)", re.MULTILINE)


def named(path: str) -> Any:
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
        return found
    raise AssertionError(f"{path} is nowhere")


def listed() -> Iterator[str]:
    for page in PAGES:
        for path, options in ENTRY.findall(page.read_text()):
            yield path
            members = re.search(r"members: \[(.*)\]", options)
            yield from (f"{path}.{name.strip()}" for name in (members[1].split(",") if members and members[1] else ()))


def own_errors(function: Any) -> set[str]:
    """The errors of gatework in the raise statements of a function, not of those within it or that it calls."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = {each.func.id for each in raised if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)}
    kinds = {name: function.__globals__.get(name) for name in names}
    return {name for name, kind in kinds.items() if inspect.isclass(kind) and issubclass(kind, gw.InputError)}


def lacking(thing: Any) -> list[str]:
    """What the docstring of a class, function or property does not say."""
    function = getattr(thing, "__func__", thing)
    says = inspect.getdoc(function) or ""
    if not says:
        return ["a docstring"]
    if isinstance(thing, property | cached_property) or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return []
    signature, lacks = inspect.signature(function), []
    if "\n    Those of " not in says:
        arguments = [name for name in signature.parameters if name not in ("self", "cls")]
        lacks += [f"argument {name}" for name in arguments if not re.search(rf"\b{name}\b", says)]
    if inspect.isclass(function):
        function = None if is_dataclass(function) else function.__init__
    elif "\n" in says and "Returns:" not in says and signature.return_annotation not in (None, "None"):
        lacks.append("Returns")
    errors = own_errors(function) if inspect.isfunction(function) else set()
    return lacks + [f"raises {name}" for name in sorted(errors) if name not in says]


@pytest.mark.parametrize("path", list(listed()))
def test_the_docstring_says_it_all(path: str) -> None:
    assert lacking(named(path)) == []


def bad(x: int, y: int) -> int:
    """Adds.

    x: a number.
    """
    if y < 0:
        raise gw.InputError("y")
    raise InputError("x")


InputError = gw.InputError


def test_what_is_left_out_is_seen() -> None:
    assert lacking(bad) == ["argument y", "Returns", "raises InputError"]
    assert lacking(lambda: 0) == ["a docstring"]
