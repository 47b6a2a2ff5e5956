import pytest
from cli_toys import Command

import gatework as gw

COMMANDS = [
    "train",
    "train text",
    "train labels",
    "train pairs",
    "sample",
    "score",
    "predict",
    "convert",
    "inspect",
    "learn",
    "export",
    "reproduce",
    "cells",
    "verify",
    "bench",
]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_how_and_fits_a_terminal(gatework: Command, command: str) -> None:
    done = gatework(*command.split(), "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: gatework {command}".rstrip())
    assert all(len(line) <= 80 for line in done.lines)


def test_commands_are_listed_in_the_order_of_use(gatework: Command) -> None:
    out = gatework("--help").out
    listed = out[out.index("Commands:") :].split()
    assert [word for word in listed if word in COMMANDS] == [
        "train",
        "sample",
        "score",
        "predict",
        "convert",
        "inspect",
        "learn",
        "export",
        "cells",
        "verify",
        "bench",
        "reproduce",
    ]


@pytest.mark.parametrize("command", ["", "train", "train text", "train labels", "train pairs"])
def test_a_command_without_anything_shows_its_help(gatework: Command, command: str) -> None:
    done = gatework(*command.split())
    assert (done.status, done.out) == (2, "")
    assert done.err == gatework(*command.split(), "--help").out


def test_the_help_of_training_names_every_default(gatework: Command) -> None:
    words = " ".join(gatework("train", "text", "--help").out.split())
    for default in (
        "H. [default: 256]",
        "token. [default: 64]",
        "[default: 1024 characters, 10000 words]",
        "[default: an epoch, at most 500]",
        "[default: 0.9,0.05,0.05]",
        "[default: lstm]",
    ):
        assert default in words


def test_commands_that_use_a_model_say_that_they_take_its_file(gatework: Command) -> None:
    for command in ("sample", "score", "predict", "convert", "forecast"):
        words = " ".join(gatework(command, "--help").out.split())
        assert "or the file that gatework export --out wrote. [required]" in words


def test_the_bands_that_are_learned_are_those_of_python(gatework: Command) -> None:
    words = " ".join(gatework("train", "series", "--help").out.split())
    assert gw.Forecaster(3).levels == (80, 95) and "Bands to learn, in percent. [default: 80,95]" in words
