"""Copying as it is defined: letters, blanks, the sign; and what a network without memory scores."""

import math

import pytest
import torch

from gatework.lab import Size
from gatework.lab.copying import BLANK, EXPERIMENT, NOW, draw, judge, memoryless, task_of

B = 500


@pytest.mark.parametrize("lag", [5, 30])
def test_ten_letters_then_blanks_the_sign_and_ten_blanks(lag: int) -> None:
    batch = draw(lag, B, torch.Generator().manual_seed(1))
    x = batch.x.argmax(-1)
    assert batch.x.shape == (lag + 20, B, 10) and (batch.x.sum(-1) == 1).all()
    assert x[:10].unique().tolist() == list(range(8))
    assert (x[10 : lag + 9] == BLANK).all() and (x[lag + 9] == NOW).all() and (x[lag + 10 :] == BLANK).all()


@pytest.mark.parametrize("lag", [5, 30])
def test_asked_for_are_blanks_then_the_letters(lag: int) -> None:
    batch = draw(lag, B, torch.Generator().manual_seed(1))
    assert (batch.y[: lag + 10] == BLANK).all()
    assert torch.equal(batch.y[lag + 10 :], batch.x[:10].argmax(-1))


def test_letters_are_spread_evenly() -> None:
    counts = torch.bincount(draw(5, 4000, torch.Generator().manual_seed(1)).y[-10:].flatten())
    torch.testing.assert_close(counts / 40_000, torch.full((8,), 1 / 8), atol=0.01, rtol=0)


def test_a_network_that_knows_when_but_not_what_scores_the_published_0400() -> None:
    batch = draw(500, 7, torch.Generator().manual_seed(1))
    outputs = torch.full((520, 7, 10), -1e9)
    outputs[:510, :, BLANK] = 0.0
    outputs[510:, :, :8] = 0.0
    torch.testing.assert_close(judge(outputs, batch).loss, torch.full((7,), memoryless(500)))
    assert round(memoryless(500), 4) == 0.04
    assert memoryless(100) == pytest.approx(10 * math.log(8) / 120)


def test_a_sequence_is_right_where_every_symbol_is() -> None:
    batch = draw(5, 3, torch.Generator().manual_seed(1))
    outputs = torch.nn.functional.one_hot(batch.y, 10).float()
    outputs[-1, 1] = outputs[-1, 1].roll(1)
    assert judge(outputs, batch).wrong.tolist() == [False, True, False]


def test_the_adding_form_has_pairs_of_the_length_asked_for() -> None:
    task, stop = task_of(EXPERIMENT.variants[-1], Size.FULL)
    assert task.draw(2, torch.Generator().manual_seed(1)).x.shape == (825, 2, 2)
    assert stop.error == 0.01


def test_networks_differ_in_nothing_but_their_start() -> None:
    chrono, plain = EXPERIMENT.variants[:2]
    assert {**plain.options, "init": "chrono(75)", "quick": chrono.options["quick"]} == chrono.options
    assert chrono.cell == plain.cell == "lstm"


def test_a_tiny_run_of_each_network_ends_with_figures() -> None:
    for variant in EXPERIMENT.variants:
        found = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert found.figures["sequences"] == 64 and found.figures["loss"] > 0 and not found.solved
