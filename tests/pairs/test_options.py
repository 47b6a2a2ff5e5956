from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pair_toys import capitals, reversals

import gatework as gw
from gatework.errors import InputError
from gatework.pairs.data.examples import given_examples
from gatework.pairs.model import check_model
from gatework.pairs.options import Options
from gatework.pairs.parts import prepared
from gatework.pairs.sizes import TABLE, fitted

ALL = (1.0, 0.0, 0.0)
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"align": "magic"}, "align is 'magic'; expected 'attention' or 'ctc'"),
        ({"source_level": "letter"}, "source_level is 'letter'"),
        ({"hidden": 0}, "hidden is 0"),
        ({"layers": 1001}, "layers is 1001"),
        ({"dropout": 1.5}, "dropout is 1.5; expected a probability"),
        ({"beams": 0}, "beams is 0"),
        ({"beams": 2.0}, "beams is 2.0"),
        ({"minutes": 0}, "minutes is 0"),
        ({"criterion": "letters"}, "criterion is 'letters'"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"recurrent": {"zoneout": {1, 2}}}, "recurrent is .*expected arguments of gw.Recurrent by name"),
        ({"align": "ctc", "input_feeding": True}, "input_feeding is True, of a decoder, and CTC has none"),
        ({"align": "ctc", "heads": 2}, "heads is 2, of a decoder"),
    ],
)
def test_an_option_that_cannot_be_is_named(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Options(**chosen)


def test_an_unknown_cell_is_named() -> None:
    with pytest.raises(InputError, match="lsmt"):
        Options(cell="lsmt")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"heads": 3, "hidden": 64}, "heads is 3"),
        ({"attention": "none", "input_feeding": True}, "input_feeding"),
        ({"hidden": 2**30, "layers": 9}, "memory"),
        ({"engine": "steam"}, "engine"),
    ],
)
def test_options_that_no_network_has_are_refused_before_data_are_read(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises((InputError, gw.EquationError), match=said):
        check_model(Options(**chosen), CPU)


@pytest.mark.parametrize("cell", ["lstm", gw.Cell("mine", "h = tanh(W @ x + U @ h + b)")])
def test_options_come_back_from_json(cell: Any) -> None:
    options = Options(cell=cell, hidden=7, recurrent={"zoneout": {"h": 0.1}}, minutes=2.5, align="ctc")
    assert Options.from_json(options.to_json()) == options


# -- sizes


def test_what_is_named_stays_and_the_rest_is_said() -> None:
    job, parts, why = prepared(given_examples(*reversals()), Options(hidden=20, steps=50), ALL)
    assert (job.options.hidden, job.options.left_open) == (20, [])
    assert job.options.layers == TABLE[0][1].layers
    assert f"sizes for {parts.counts['training']:,} pairs of " in why
    assert "and 50 steps: 1 layer of 20 units" in why and why.endswith("any that is named stays")


def test_nothing_is_said_where_nothing_is_open() -> None:
    options = Options(hidden=20, layers=1, batch=100, learning_rate=0.01)
    assert prepared(given_examples(*reversals()), options, ALL)[2] == ""


def test_more_time_makes_a_larger_model_and_more_processes_a_larger_batch() -> None:
    _, parts, _ = prepared(given_examples(*reversals()), Options(), ALL)
    many = parts.training.take(np.tile(np.arange(len(parts.training)), 3000))
    hidden = [fitted(Options(minutes=minutes), many)[0].hidden for minutes in (0.1, 10, 1000)]
    assert hidden == sorted(set(hidden))
    assert fitted(Options(minutes=1000), parts.training)[0].hidden == hidden[0], "few pairs fill no large model"
    one, two = (fitted(Options(), parts.training, processes)[0].batch for processes in (1, 2))
    assert one is not None and two == 2 * one


# -- what is prepared


def test_a_source_never_stands_in_two_parts_and_keeps_its_targets() -> None:
    X, y = capitals(60)
    examples = given_examples([*X, *X[:30]], [*y, *(f"{text}X" for text in y[:30])])
    job, parts, _ = prepared(examples, Options(), (0.5, 0.3, 0.2))
    assert parts.counts == {"training": 30, "validation": 18, "test": 12}
    assert len(parts.whole.target_starts) - 1 == 90
    pieces = np.split(parts.whole.source, parts.whole.source_starts[1:-1])
    assert len({tuple(piece.tolist()) for piece in pieces}) == 60
    assert sorted(np.diff(parts.whole.targets_of).tolist()) == [1] * 30 + [2] * 30
    assert job.longest == int(parts.training.target_lengths.max())


def test_parts_are_a_function_of_the_seed() -> None:
    examples = given_examples(*capitals(60))
    first, again, other = (
        prepared(examples, Options(random_state=seed), (0.5, 0.3, 0.2))[1].whole.source.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_only_the_training_part_says_which_symbols_there_are() -> None:
    X, y = capitals(60)
    examples = given_examples([*X, *(f"{text}z" for text in X)], [*y, *(f"{text}Z" for text in y)])
    for seed in range(3):
        job, parts, _ = prepared(examples, Options(random_state=seed), (0.02, 0.5, 0.48))
        known = set("".join(map(str, job.inputs.to_json()["symbols"][1:])))
        assert known == {job.inputs.to_json()["symbols"][number] for number in parts.training.source.tolist()}


@pytest.mark.parametrize(
    ("X", "y", "chosen", "said"),
    [
        (["ab", "cd"], ["abc", "d"], {"align": "ctc"}, "3 target symbols for 2 source steps; CTC needs 3"),
        (["ab", "cd"], ["aa", "d"], {"align": "ctc"}, "some repeated.*CTC needs 3"),
        ([[1.0, 2.0], [3.0]], ["a", "b"], {}, "the source is of numbers, which CTC aligns: --align ctc"),
        (["ab", ""], ["a", "b"], {}, r"X\[1\] is empty"),
        (["ab", "c"], ["a", ""], {}, r"y\[1\] is empty"),
        ([], [], {}, "X has no pairs"),
        (["ab"], ["a", "b"], {}, "y has 2 targets, X 1 sources"),
    ],
)
def test_pairs_that_cannot_be_learnt_are_named(X: Any, y: Any, chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        prepared(given_examples(X, y), Options(**chosen), ALL)


def test_an_end_takes_the_place_of_the_usual_one() -> None:
    options = Options(learning_rate=0.01)
    assert options.settings(10).epochs == 100
    assert options.settings(1000).epochs == 5
    assert replace(options, steps=7).settings(10).total(10) == 7
    assert replace(options, minutes=2).settings(10).planned
