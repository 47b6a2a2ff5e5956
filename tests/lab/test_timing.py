"""A cosine without input: what is asked for, and networks whose gates do not see h."""

import pytest
import torch

from gatework.lab import Size
from gatework.lab.timing import EXPERIMENT, PERIOD, Generator, rms, target, train


def test_the_target_has_a_period_of_25_steps() -> None:
    y = target(4 * PERIOD)
    torch.testing.assert_close(y[:PERIOD], y[PERIOD : 2 * PERIOD], atol=1e-5, rtol=0)
    assert y[PERIOD - 1] == pytest.approx(1, abs=1e-5) and y[:PERIOD].argmin() in (11, 12)
    assert rms(y) == pytest.approx(0.5**0.5, abs=1e-4)  # what saying 0 scores: far above what solves


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm"])
def test_where_h_is_not_fed_back_it_stays_so_in_training(cell: str) -> None:
    model = Generator(cell, 3, feedback=False)
    train(model, {"learning_rate": 0.1, "updates": 4}, print)
    matrices = [value for name, value in model.layer.named_parameters() if name.startswith("l0.U_")]
    assert len(matrices) == 4 and not any(matrix.any() for matrix in matrices)


def test_without_peepholes_and_feedback_the_gates_never_change() -> None:
    torch.manual_seed(0)
    for cell, moves in (("lstm", False), ("peephole_lstm", True)):
        model = Generator(cell, 3, feedback=False)
        with torch.no_grad():
            for name, parameter in model.layer.named_parameters():
                parameter.copy_(parameter if name.startswith("l0.U_") else torch.randn_like(parameter))
            c = model.layer.l0.b_g.tanh() * model.layer.l0.b_i.sigmoid()
            constant = c / (1 - model.layer.l0.b_f.sigmoid())  # where constant gates lead to
            state = model.layer(torch.zeros(500, 1, 1))[1].c[0, 0]
        assert torch.allclose(state, constant, atol=1e-2) is not moves


def test_a_short_training_brings_the_error_down() -> None:
    torch.manual_seed(1)
    curve = train(Generator("peephole_lstm", 2, feedback=True), {"learning_rate": 0.03, "updates": 150}, print)
    assert curve[-1][1] < 0.9 * curve[0][1]


def test_a_tiny_run_of_each_network_ends_with_figures() -> None:
    for variant in EXPERIMENT.variants:
        found = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert set(found.figures) == {"RMSE, first period", "RMSE, 40 periods"} and not found.solved
