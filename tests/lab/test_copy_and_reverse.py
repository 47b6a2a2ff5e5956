"""Copying and reversing as they are defined, what counts as wrong, and the curve over the length."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gatework.lab import Size, Trial
from gatework.lab import copy_and_reverse as lab
from gatework.lab.copy_and_reverse import EXPERIMENT, IGNORED, SYMBOLS, draw, judge, wrong
from gatework.lab.picture import svg
from gatework.lab.results import Results

B = 300


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("reverse", [False, True])
def test_targets_are_the_sources_or_their_reverse_ended_and_padded(reverse: bool) -> None:
    batch = draw(B, generator(), reverse=reverse)
    assert batch.lengths is not None and sorted(set(batch.lengths.tolist())) == list(range(1, 21))
    for x, y, length in zip(batch.x.T.tolist(), batch.y.T.tolist(), batch.lengths.tolist(), strict=True):
        source = x[:length]
        wanted = source[::-1] if reverse else source
        assert y == [*wanted, SYMBOLS, *[IGNORED] * (20 - length)]
        assert not any(x[length:])


def test_a_sequence_is_wrong_where_one_symbol_is_and_padding_does_not_count() -> None:
    batch = draw(5, generator(), reverse=False)
    outputs = 20.0 * torch.nn.functional.one_hot(batch.y.clamp(min=0), SYMBOLS + 1)
    judged = judge(outputs, batch)
    assert not judged.wrong.any()
    torch.testing.assert_close(judged.loss, torch.zeros(5), atol=1e-6, rtol=0)
    outputs[0, 3] = outputs[0, 3].roll(1)
    assert batch.lengths is not None
    assert judge(outputs, batch).wrong.tolist() == [False, False, False, True, False]
    torch.testing.assert_close(judge(outputs, batch).loss[3], 20.0 / (batch.lengths[3] + 1), rtol=1e-5, atol=0)


def test_the_share_of_symbols_wrong_is_of_edits() -> None:
    def search(source: Any, **_: int) -> list[Any]:
        """All of the source but its last symbol."""
        return [[SimpleNamespace(tokens=tuple(row[:-1]))] for row in source[0].T.tolist()]

    model: Any = SimpleNamespace(search=search)
    assert wrong(model, 10, 7, generator(), reverse=False) == pytest.approx(0.1)


def test_the_curve_is_over_lengths_beyond_those_learnt_from_and_is_drawn() -> None:
    results = Results(EXPERIMENT.name, Size.TINY)
    machine: Any = SimpleNamespace()
    for variant in EXPERIMENT.variants[:2]:
        trial: Trial = EXPERIMENT.trial(variant, 0, Size.TINY, lambda _: None)
        assert [length for length, _ in trial.curve] == list(range(5, 51, 5))
        assert trial.figures["% wrong of 50"] == pytest.approx(100 * trial.curve[-1][1], rel=1e-3)
        assert not trial.solved
        results.add(variant, 0, trial, machine)
    drawn = svg(EXPERIMENT, results)
    assert b"fixed state" in drawn and b"% of symbols wrong" in drawn


def test_networks_of_a_form_differ_in_their_attention_alone() -> None:
    first, *others = (dict(variant.options) for variant in EXPERIMENT.variants)
    first.pop("how")
    assert all({name: value for name, value in other.items() if name != "how"} == first for other in others)
    assert lab.LEARNT < lab.TESTED
