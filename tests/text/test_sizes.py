"""Sizes that nobody named follow the text's length and the time; what is named, or cannot follow, stays."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from text_toys import At, start, write_text

from gatework.text.options import Batching, Shape
from gatework.text.run import Run
from gatework.text.sizes import OPEN, SPEED, Choice, fitted, sizes
from gatework.training.events import Notice
from gatework.training.settings import Settings

USUAL = Choice(Settings(epochs=1), Shape(), Batching())


def chosen(tokens: int, left_open: Any = OPEN, processes: int = 1, **settings: Any) -> Choice:
    choice = USUAL._replace(settings=Settings(**(settings or {"epochs": 1})))
    return fitted(choice, left_open, tokens, "characters", processes)[0]


@pytest.mark.parametrize("tokens", [1_000, 100_000, 6_000_000, 10**9])
@pytest.mark.parametrize("minutes", [0.1, 1, 5, 30, 600])
def test_all_that_is_open_is_as_the_table_has_it(tokens: int, minutes: float) -> None:
    found = chosen(tokens, minutes=minutes)
    learnt = SPEED * 60 * minutes
    wanted = sizes(learnt, learnt / tokens)
    assert (found.shape.hidden, found.shape.layers) == (wanted.hidden, wanted.layers)
    assert found.shape.dropout == wanted.dropout
    assert (found.batching.steps, found.settings.learning_rate) == (wanted.bptt, wanted.learning_rate)
    assert (found.settings.final, found.settings.clip, found.shape.init) == (wanted.final, wanted.clip, wanted.init)
    assert found.batching.streams == min(wanted.streams, (tokens - 1) // wanted.bptt)


@pytest.mark.parametrize("name", OPEN)
def test_what_is_named_stays(name: str) -> None:
    named = Choice(
        Settings(epochs=1, learning_rate=0.5, final=0.7, clip=3.0),
        Shape(hidden=7, layers=3, dropout=0.25, init="orthogonal"),
        Batching(streams=5, steps=9),
    )
    found, _ = fitted(named, set(OPEN) - {name}, 10**6, "characters")
    values = {
        "hidden": found.shape.hidden,
        "layers": found.shape.layers,
        "dropout": found.shape.dropout,
        "streams": found.batching.streams,
        "bptt": found.batching.steps,
        "learning_rate": found.settings.learning_rate,
        "final": found.settings.final,
        "clip": found.settings.clip,
        "init": found.shape.init,
        "softmax": found.shape.softmax,
    }
    stays = {"hidden": 7, "layers": 3, "dropout": 0.25, "init": "orthogonal", "streams": 5, "bptt": 9}
    stays |= {"learning_rate": 0.5, "final": 0.7, "clip": 3.0, "softmax": "full"}
    assert values[name] == stays[name]
    others = {each for each in stays if values[each] == stays[each]}
    assert others <= {name, "softmax"}, "all others follow"
    assert fitted(named, (), 10**6, "characters")[0] == named


def test_how_the_rate_falls_is_said() -> None:
    choice = USUAL._replace(settings=Settings(minutes=5, learning_rate=0.5))
    _, why = fitted(choice, set(OPEN) - {"learning_rate", "final"}, 10**8, "characters")
    assert "learning rate 0.5, clip" in why
    found, why = fitted(choice, OPEN, 10**8, "characters")
    assert found.settings.final == 0 and f"learning rate {found.settings.learning_rate:g} falling to 0, clip" in why


def test_more_is_learnt_with_as_many_units_and_streams_or_more() -> None:
    found = [sizes(10.0**power) for power in range(3, 12)]
    for less, more in pairwise(found):
        assert less.hidden <= more.hidden and less.streams <= more.streams and less.layers <= more.layers


def test_a_text_that_is_read_often_for_long_is_read_with_dropout() -> None:
    for tokens, minutes, dropout in ((10**6, 5, 0.1), (10**8, 5, 0.0), (10**8, 500, 0.1), (10**4, 1, 0.0)):
        choice = USUAL._replace(settings=Settings(minutes=minutes))
        found, why = fitted(choice, OPEN, tokens, "characters")
        assert found.shape.dropout == dropout
        assert ("units with dropout 0.1, " in why) == (dropout > 0)


def test_passes_count_as_the_time_that_they_take() -> None:
    for tokens, epochs in ((10**5, 1), (10**7, 3), (10**9, 1)):
        wanted = sizes(tokens * epochs)
        assert chosen(tokens, epochs=epochs).shape.hidden == wanted.hidden
        assert chosen(tokens, epochs=epochs, minutes=10**6).batching.streams == wanted.streams


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_the_streams_evenly(processes: int) -> None:
    assert chosen(10**6, processes=processes).batching.streams % processes == 0


def test_sizes_change_nothing_of_what_is_validated_on() -> None:
    assert chosen(10**6).batching.validate_on == Batching().validate_on


def test_the_sentence_says_what_was_chosen_and_for_what() -> None:
    named = USUAL._replace(shape=Shape(hidden=7), settings=Settings(minutes=1))
    found, why = fitted(named, {"streams"}, 123_456, "bytes")
    assert why == (
        f"sizes for 123,456 bytes and 1 minute, the best of those tried with as much to learn from: "
        f"{found.batching.streams} streams x 64 steps, 1 layer of 7 units, "
        "learning rate 0.004, clip 1; any that is named stays"
    )
    longer = replace_settings(named, minutes=25.5, epochs=3)
    assert (
        "and 25.5 minutes or 3 passes, the best of those tried with less to" in fitted(longer, OPEN, 9**9, "bytes")[1]
    )


def replace_settings(choice: Choice, **values: Any) -> Choice:
    return choice._replace(settings=replace(choice.settings, **values))


def test_a_run_has_the_sizes_that_were_chosen_for_its_training_part(tmp_path: Path) -> None:
    text = write_text(tmp_path)
    heard = At(Notice, 0, None)
    start(tmp_path / "run", text, steps=2, left_open={"streams", "bptt"}, report=heard)
    run = Run.open(tmp_path / "run")
    expected, why = fitted(
        Choice(Settings(steps=2), Shape(hidden=8, embedding=5), Batching(3, 7)), {"streams", "bptt"}, 810, "characters"
    )
    assert (run.batching.streams, run.batching.steps) == (expected.batching.streams, expected.batching.steps)
    assert run.shape.hidden == 8
    assert why in [event.message for event in heard.events if isinstance(event, Notice)]


def test_words_keep_the_usual_sizes(tmp_path: Path) -> None:
    start(tmp_path / "run", write_text(tmp_path), steps=2, level="word", left_open=OPEN)
    run = Run.open(tmp_path / "run")
    assert (run.batching.streams, run.batching.steps, run.shape.hidden) == (3, 7, 8)
