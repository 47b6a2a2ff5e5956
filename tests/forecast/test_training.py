"""The parts of the model: members that share nothing, the linear part, how widths and trust are measured."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from forecast_toys import panel, quick, seasonal, table

import gatework as gw
from gatework.errors import InputError
from gatework.forecast import batches
from gatework.forecast.base import Base
from gatework.forecast.calibration import caution, independent_errors, trusted, widths
from gatework.forecast.data.series import read_panel
from gatework.forecast.inputs import Beside, Inputs, prepare
from gatework.forecast.linear import fit_linear
from gatework.forecast.model import Ensemble, one_cycle, pinball
from gatework.forecast.plan import plan
from gatework.forecast.training import PASSES
from gatework.training.events import TrainingError

NORMAL = np.random.default_rng(0)


def ensemble(members: int = 3) -> Ensemble:
    return Ensemble("lstm", 5, torch.zeros(2, 3), members=members, hidden=4, dropout=0.0)


def prepared(y: np.ndarray, h: int = 4, lags: int = 3, base: Base | None = None) -> Inputs:
    panel = read_panel(table(y))
    (series,) = panel.series
    chosen = plan(series.y, h, "auto")
    chosen = replace(chosen, base=(base,)) if base else chosen
    return prepare(series, chosen, h, lags, Beside.of(panel), panel.spacing)


def test_members_have_nothing_in_common_but_their_inputs():
    network, x = ensemble(), torch.randn(7, 2, 5)
    before, _ = network.states(x)
    with torch.no_grad():
        network.recurrent.l0.U_i[:4] += 1.0
    after, _ = network.states(x)
    assert not torch.allclose(before[:, :, 0], after[:, :, 0])
    assert torch.equal(before[:, :, 1:], after[:, :, 1:])


def test_training_links_no_members():
    network, x = ensemble(), torch.randn(7, 2, 5)
    torch.nn.init.normal_(network.weight)
    optimizer = torch.optim.AdamW(network.parameters())
    for _ in range(3):
        network(x)[0].square().sum().backward()
        optimizer.step()
    apart = torch.block_diag(*[torch.ones(4, 4)] * 3) == 0
    assert (network.recurrent.l0.U_f[apart] == 0).all()


def test_a_batch_is_moved_whole_to_the_device_that_trains():
    series = [prepared(seasonal(96))]
    expected = [[np.zeros_like(series[0].residual)]]
    made = batches.batch(series, expected, batches.parts(series), [[96]], series[0].ahead.shape[2] - 1)
    moved = made.to(torch.device("meta"))
    assert made.known is not None
    assert {name: value.device.type for name, value in vars(moved).items()} == dict.fromkeys(vars(made), "meta")


def test_what_is_learned_is_on_the_cpu_and_its_file_names_no_device(tmp_path):
    made = quick(device="auto").fit(table(seasonal()))
    assert {weight.device.type for weight in made.fitted.fitted.network.parameters()} == {"cpu"}
    made.save(tmp_path / "run")
    assert "device" not in (tmp_path / "run" / "run.json").read_text()
    assert gw.Forecaster.load(tmp_path / "run").device == "cpu"


def test_a_device_that_is_not_there_is_refused_before_anything_is_planned():
    planned = []
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        quick(device="abacus").fit_panel(read_panel(table(seasonal())), on_progress=lambda *done: planned.append(done))
    assert not planned


def test_an_untrained_network_says_its_offsets_alone():
    offsets = torch.arange(6.0).reshape(2, 3)
    network = Ensemble("gru", 5, offsets, members=2, hidden=4, known=3).eval()
    quantiles, _ = network(torch.randn(7, 2, 5), torch.randn(7, 2, 2, 3))
    assert torch.equal(quantiles, offsets.expand(7, 2, 2, 2, 3))


def test_the_pinball_loss_is_its_formula_where_the_mask_is_1():
    quantiles = torch.tensor([[[1.0, 3.0]], [[9.0, 9.0]]])  # [2,h=1,P=2]
    loss = pinball(quantiles, torch.tensor([[2.0], [0.0]]), torch.tensor([0.1, 0.9]), torch.tensor([[1.0], [0.0]]))
    assert loss.item() == pytest.approx((2 * 0.1 * 1 + 2 * 0.1 * 1) / 2)


def test_the_rate_rises_and_falls_once():
    rates = [one_cycle(step, 100, 0.01) for step in range(101)]
    assert rates[0] == rates[100] == pytest.approx(0, abs=1e-9)
    assert max(rates) == pytest.approx(rates[30]) == pytest.approx(0.01)


def test_inputs_do_not_look_ahead():
    y = seasonal(96)
    later = y.copy()
    later[80:] += NORMAL.normal(size=16)
    panel = read_panel(table(y))
    chosen = plan(y, 4, "auto")
    made = [
        prepare(read_panel(table(values)).series[0], chosen, 4, 3, Beside.of(panel), panel.spacing)
        for values in (y, later)
    ]
    for name in ("x", "common", "ahead", "base", "scale"):
        assert np.array_equal(getattr(made[0], name)[:80], getattr(made[1], name)[:80], equal_nan=True), name


def test_the_linear_part_finds_what_lags_say():
    noise, y = np.random.default_rng(1).normal(size=200), np.zeros(200)
    for t in range(2, 200):
        y[t] = 1.5 * y[t - 1] - 0.8 * y[t - 2] + noise[t]
    fits, left = fit_linear([prepared(y, base=Base("last value"))], lags=3)
    assert left < 0.9
    assert fits[-1].weights.any()


def test_the_linear_part_is_nothing_where_it_does_not_help():
    fits, left = fit_linear([prepared(30 + np.random.default_rng(2).normal(size=200))], lags=3)
    assert left == 1
    assert not fits[-1].weights.any()


def test_trust_is_none_where_the_network_is_wrong_and_whole_where_it_is_right():
    true = NORMAL.normal(size=500)
    assert trusted(-true, true)[0] == 0
    assert trusted(true, true) == (1.0, 0.0)


def test_errors_that_repeat_each_other_are_worth_few():
    independent = np.random.default_rng(3).normal(size=400)[:, None]
    repeated = np.repeat(independent[::20], 20, axis=0)
    assert independent_errors(independent) > 300
    assert independent_errors(repeated) < 40


def test_widths_bring_bands_to_their_share():
    true = np.random.default_rng(4).normal(size=20_000)
    narrow = np.repeat([[-0.64, 0.0, 0.64]], len(true), axis=0)
    assert widths(narrow, true, (0.1, 0.5, 0.9), 1e6) == pytest.approx([2, 1, 2], abs=0.05)


def test_bands_are_wider_where_they_rest_on_few_errors():
    assert caution(0.9, 1e9) == pytest.approx(1)
    assert caution(0.9, 5) == pytest.approx(math.sqrt(1.2) * 1.533 / 1.2816, rel=0.01)  # t of 4 degrees: 1.533


def test_the_network_learns_from_columns_known_in_the_future() -> None:
    price = np.random.default_rng(5).integers(0, 2, 102).astype(float)
    given = table(np.append(seasonal(96) + 8 * price[:96], [math.nan] * 6), price=price)
    mixed = quick(known=("price",)).fit(given).fitted.fitted.network.mixed
    assert mixed is not None
    assert mixed.any()


def test_every_series_is_passed_over_often_where_they_are_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "POSITIONS", 2 * 96)
    series = {f"series {number}": seasonal(96, seed=number) for number in range(5)}
    told: list[int] = []
    quick(report=lambda _, steps, __: told.append(steps)).fit(panel(**series))
    assert told == [3 * PASSES] * (3 * PASSES)


def test_interrupting_a_fit_leaves_nothing_learned():
    def stop(step, steps, loss):
        raise KeyboardInterrupt

    forecaster = quick(report=stop)
    with pytest.raises(KeyboardInterrupt):
        forecaster.fit(table(seasonal()))
    assert forecaster.model is None


def test_a_training_that_diverges_says_so_and_learns_nothing() -> None:
    forecaster = quick(learning_rate=1e30, steps=30)
    with pytest.raises(TrainingError, match=r"^the loss is nan at step \d+: lower the learning rate of 1e\+30$"):
        forecaster.fit(table(seasonal()))
    with pytest.raises(gw.InputError, match="has learned nothing yet"):
        forecaster.predict()
