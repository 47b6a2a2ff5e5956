"""The commands by name, each in a module of its own that is imported when it is run, shown or completed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup

from gatework.cli.plain import take_plain


class Listed(NamedTuple):
    """How a command stands in a list: the first sentence of its help; whether it is shown where nothing is given."""

    help: str
    helps_alone: bool = False


TRAIN = "Trains a model and writes it to a run folder."
# In the order of use. The command `train text` is the function `train_text` of gatework.cli.train_text.
COMMANDS = {
    "train text": Listed("Trains a language model on text: files, directories, standard input.", True),
    "train labels": Listed("Learns the labels of sequences: one for each (many-to-one), or tags.", True),
    "train pairs": Listed(
        "Learns to turn sources into targets of other lengths: pronunciations, dates, transliterations.", True
    ),
    "train series": Listed("Learns to forecast a series, or thousands together, from a table.", True),
    "sample": Listed("Writes text with a trained model, as it is drawn."),
    "score": Listed("Says how well a trained model knows a text, turns sources into targets, or has forecast."),
    "predict": Listed("Predicts the labels of sequences with a trained model."),
    "convert": Listed("Turns sources into targets with a model trained on pairs."),
    "forecast": Listed(
        "Forecasts with a trained run: prints a table, writes a CSV and a picture (pip install 'gatework[plot]')."
    ),
    "backtest": Listed("Says how well it would have forecast the end of a table, beside seasonal naive.", True),
    "inspect": Listed(
        "Writes one web page that runs the model: which unit does what, when each gate opens, how far back it looks."
    ),
    "learn": Listed("Writes one web page of four lessons on what gates do, with small networks that run in it."),
    "export": Listed(
        "Writes a trained model as one file: for gatework without torch and C, or ONNX (pip install 'gatework[onnx]')."
    ),
    "cells": Listed("Lists the cells, or shows one: its equations, states, parameters, backward pass, and diagram."),
    "verify": Listed(
        "Checks every cell on every engine of this machine against float64: values, gradients, lengths, resets, masks."
    ),
    "bench": Listed("Measures gatework's layers against torch and others: time, memory, targets met or missed."),
    "reproduce": Listed("Runs published experiments again; without NAME, lists them with what they cost."),
}


def function(name: str) -> Callable[..., None]:
    """What a command runs."""
    word = name.replace(" ", "_")
    return cast(Callable[..., None], getattr(import_module(f"gatework.cli.{word}"), word))


class Command(TyperCommand):
    """A command as lists show it; its module is imported when its arguments are read."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return _built(self.name or "").make_context(info_name, args, parent, **extra)


def _built(name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    run = function(name)
    app.command(name.rsplit(maxsplit=1)[-1], no_args_is_help=COMMANDS[name].helps_alone)(run)
    command = typer.main.get_command(app)
    take_plain(command, run)
    return command


def _group() -> None:
    """A group asks for nothing itself."""


def fill(root: TyperGroup) -> None:
    """Gives the command `gatework` its subcommands."""
    train = TyperGroup(name="train", help=TRAIN, no_args_is_help=True, rich_markup_mode=None)
    take_plain(train, _group)
    root.add_command(train)
    for name, listed in COMMANDS.items():
        *group, last = name.split()
        (train if group else root).add_command(Command(name, help=listed.help, rich_markup_mode=None), last)
