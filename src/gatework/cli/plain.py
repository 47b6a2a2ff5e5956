"""Values that stand on a command line as they are meant. typer converts by pydantic, which takes longer to import than
a model to open: what needs no rule of it is converted here, and all else, errors too, is left to typer."""

import re
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from gatework.options import alternatives

_NUMBERS = {int: re.compile(r"-?[0-9]{1,15}"), float: re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")}


class NotPlain(Exception):  # noqa: N818, it is no error
    """Whether and how a value is converted is for typer to say."""


def take_plain(command: Any, function: Callable[..., None]) -> None:
    """Lets the parameters of typer's command for a function convert plain values by themselves."""
    hints = {name: each.annotation for name, each in signature(function).parameters.items()}
    for parameter in command.get_params(typer.Context(command)):
        kind, *about = get_args(hints.get(parameter.name)) or (None,)  # typer has parameters of its own, such as --help
        if not any(getattr(each, bound, None) is not None for each in about for bound in ("min", "max")):
            parameter.process_value = partial(_processed, parameter, alternatives(kind)[0], parameter.process_value)


def _processed(parameter: Any, kind: Any, by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """A parameter's value, from what was given or is its default."""
    try:
        if value is None or value == ():
            made = _nothing(parameter)
        elif parameter.multiple or parameter.nargs == -1:
            made = [_plain(get_args(kind)[0], each) for each in value]
        else:
            made = _plain(kind, value)
    except NotPlain:
        return by_typer(context, value)
    return made if parameter.callback is None else parameter.callback(context, parameter, made)


def _nothing(parameter: Any) -> Any:
    """What stands for no value."""
    if parameter.required:  # which typer says
        raise NotPlain
    return () if parameter.multiple or parameter.nargs == -1 else None


def _plain(kind: Any, value: Any) -> Any:
    """A value of a kind."""
    if type(value) is kind:
        return _checked(value)
    if not isinstance(value, str):
        raise NotPlain
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if kind is Path:
        return Path(_checked(value))
    if kind in _NUMBERS and _NUMBERS[kind].fullmatch(value):
        return kind(value)
    raise NotPlain


def _checked(value: Any) -> Any:
    """A value; what the system gave as bytes that are no text is left to typer."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotPlain from None
    return value
