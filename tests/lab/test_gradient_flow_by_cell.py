"""Gradient flow: the RNN's by a factor a step, the carousel's not at all."""

import pytest

from gatework.lab import Size, Trial, Variant
from gatework.lab.gradient_flow_by_cell import EXPERIMENT


def run(name: str) -> Trial:
    (variant,) = [variant for variant in EXPERIMENT.variants if variant.name == name]
    small = Variant(variant.name, variant.cell, {**variant.options, "hidden": 16, "sequences": 4})
    return EXPERIMENT.trial(small, 0, Size.FULL, print)


@pytest.mark.parametrize("radius", [0.9, 1.1])
def test_the_gradient_of_an_rnn_changes_by_the_same_factor_at_each_step(radius: float) -> None:
    found = run(f"rnn, {radius} x rotation")
    for lag, left in found.curve:
        assert left == pytest.approx(radius**lag, rel=0.01)
    assert not found.solved


def test_the_carousel_keeps_it() -> None:
    found = run("lstm, no forget gate, direct path")
    assert {left for _, left in found.curve} == {1.0} and found.solved


def test_open_gates_keep_it_over_the_lags_they_start_for() -> None:
    assert run("lstm, forget gate, chrono(200)").solved and run("gru, chrono(200)").solved
    assert not run("gru").solved


def test_a_tiny_run_of_each_network_ends_with_figures() -> None:
    for variant in EXPERIMENT.variants:
        assert list(EXPERIMENT.trial(variant, 0, Size.TINY, print).figures) == [
            "left at 10",
            "left at 50",
            "left at 100",
        ]
