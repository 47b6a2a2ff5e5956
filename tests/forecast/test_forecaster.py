"""gw.Forecaster: what it returns, what it refuses, and that it goes on from where it was."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from forecast_toys import MONTHS, panel, quick, seasonal, table

import gatework as gw
from gatework import InputError


def test_a_forecast_has_a_row_for_each_step_with_its_date_its_median_and_its_bands():
    made = quick(6, levels=(80, 95)).fit(table(seasonal())).predict()
    assert list(made.columns) == ["unique_id", "ds", "forecast", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert list(made["ds"]) == list(MONTHS[96:102])
    ordered = made[["lo-95", "lo-80", "forecast", "hi-80", "hi-95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_frames_of_polars_give_frames_of_polars():
    given = table(seasonal())
    made = quick().fit(pl.from_pandas(given)).predict()
    assert isinstance(made, pl.DataFrame)
    expected = quick().fit(given).predict()
    assert made["forecast"].to_list() == expected["forecast"].to_list()


def test_a_season_with_a_slope_is_learned():
    y = seasonal(132)
    made = gw.Forecaster(12, steps=30).fit(table(y[:120])).predict()
    naive = np.abs(y[120:] - y[108:120]).mean()
    assert np.abs(y[120:] - made["forecast"].to_numpy()).mean() < naive


def test_what_was_found_is_said():
    fitted = quick().fit(table(seasonal()))
    plan = fitted.plans["y"]
    assert plan.season == 12
    assert plan.score < 1
    assert any("season 12" in line for line in fitted.notes)
    assert any(plan.base_name in line and f"{plan.score:.2f}" in line for line in fitted.notes)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    given = table(seasonal())
    first, again, other = (quick(seed=seed).fit(given) for seed in (0, 0, 1))
    assert np.array_equal(first.forecasts()[0].quantiles, again.forecasts()[0].quantiles)
    learned = [each.fitted.fitted.network.weight for each in (first, again, other)]
    assert torch.equal(learned[0], learned[1])
    assert not torch.equal(learned[0], learned[2])


def test_fitting_leaves_the_callers_random_numbers_alone():
    state = torch.random.get_rng_state()
    quick().fit(table(seasonal()))
    assert torch.equal(state, torch.random.get_rng_state())


def test_several_series_are_learned_by_one_model_and_each_is_forecast_at_its_own_level():
    made = quick().fit(panel(low=seasonal(), high=1e6 * seasonal(seed=1))).predict()
    low, high = (made[made["unique_id"] == name]["forecast"] for name in ("low", "high"))
    assert low.between(10, 40).all()
    assert high.between(10e6, 40e6).all()


def test_new_rows_are_read_from_the_saved_state_as_if_they_had_been_there():
    y = seasonal(108)
    fitted = quick().fit(table(y[:96]))
    new = table(y).iloc[96:]
    gone_on = fitted.predict(new)
    whole = fitted.predict(table(y))
    assert list(gone_on["ds"]) == list(MONTHS[108:114])
    np.testing.assert_allclose(gone_on["forecast"], whole["forecast"], rtol=1e-6)
    assert not np.allclose(gone_on["forecast"], fitted.predict()["forecast"])


def test_rows_without_times_are_counted_on_from_those_before():
    y = seasonal(104)
    forecaster = quick().fit(y[:96])
    assert list(forecaster.predict()["ds"]) == list(range(97, 103))
    assert list(forecaster.predict(y[96:100])["ds"]) == list(range(101, 107))


def test_missing_values_are_masked_and_change_little():
    y = seasonal(120)
    holed = y.copy()
    holed[[20, 50, 51, 90]] = np.nan
    whole, partly = (quick().fit(table(each)).predict()["forecast"] for each in (y, holed))
    assert np.isfinite(partly).all()
    assert np.abs(whole - partly).mean() < 1


def test_a_series_that_grows_by_a_factor_is_forecast_by_its_logarithm():
    t = np.arange(120)
    y = np.exp(3 + 0.02 * t + 0.3 * np.sin(2 * np.pi * t / 12) + 0.03 * np.random.default_rng(0).normal(size=120))
    fitted = quick().fit(table(y))
    assert fitted.plans["y"].log
    assert (fitted.predict()["lo-80"] > 0).all()


def test_a_column_known_in_the_future_is_used():
    random = np.random.default_rng(0)
    price = random.integers(0, 2, 132).astype(float)
    y = 20 + 8 * price + 0.3 * random.normal(size=132)
    past = table(y[:120], price=price[:120])
    ahead = pd.DataFrame({"ds": MONTHS[120:126], "price": price[120:126]})
    fitted = quick(known=("price",)).fit(pd.concat([past, ahead]))
    error = np.abs(fitted.predict()["forecast"].to_numpy() - y[120:126])
    assert error.mean() < 2
    np.testing.assert_allclose(
        quick(known=("price",)).fit(past).predict(ahead)["forecast"], fitted.predict()["forecast"]
    )


def test_columns_of_the_past_and_of_each_series_are_taken():
    y = seasonal()
    given = pd.concat(
        [
            table(y, weather=np.roll(y, 1), kind="a").assign(unique_id="one"),
            table(2 * y, weather=np.roll(y, 1), kind="b").assign(unique_id="two"),
        ]
    )
    made = quick(past=("weather",), static=("kind",)).fit(given).predict()
    assert np.isfinite(made["forecast"]).all()


@pytest.mark.parametrize("cell", list(gw.cells))
def test_any_cell_can_be_the_network(cell):
    assert np.isfinite(quick(cell=cell).fit(table(seasonal())).predict()["forecast"]).all()


def test_zeros_and_counts_are_never_forecast_below_zero():
    y = np.random.default_rng(0).poisson(0.4, 120).astype(float)
    made = quick().fit(table(y)).predict()
    assert (made["lo-80"] >= 0).all()


def test_bands_are_narrow_out_of_season_and_wide_in_it():
    t = np.arange(108)
    usual = np.array((9, 0, 1, 0, 0, 1, 0, 2, 8, 60, 700, 4100))
    sold = usual[t % 12] * np.random.default_rng(0).uniform(0.9, 1.1, 108)
    made = quick(12).fit(table(np.round(sold))).predict()
    width = (made["hi-80"] - made["lo-80"]).to_numpy()
    assert (width[1:8] < 20).all()
    assert width[11] > 300
    assert (made["lo-80"] >= 0).all()


def test_training_reports_its_steps():
    told = []
    quick(report=lambda step, steps, _: told.append((step, steps))).fit(table(seasonal()))
    assert told == [(step, 5) for step in range(1, 6)]


REFUSED = {
    "a horizon of 0": (lambda: gw.Forecaster(0), "horizon is 0; expected a whole number of at least 1"),
    "a season of 0": (
        lambda: gw.Forecaster(3, season=0),
        'season is 0; expected its length in steps (1 for none), several such as [24, 168], or "auto"',
    ),
    "a level of 100": (
        lambda: gw.Forecaster(3, levels=(100,)),
        "levels holds 100; expected percents between 0 and 100",
    ),
    "an unknown cell": (lambda: gw.Forecaster(3, "lstn"), "unknown cell 'lstn'"),
    "nothing learned": (lambda: gw.Forecaster(3).predict(), "this Forecaster has learned nothing yet"),
    "a constant": (lambda: quick().fit(table(np.full(50, 7.0))), "the series is constant, y = 7 in all 50 rows"),
    "too few rows": (
        lambda: quick(12, season=12).fit(table(seasonal(30))),
        "the series has 30 values of y: a horizon of 12 and a season of 12 needs 38 at least",
    ),
    "an unknown series": (
        lambda: quick().fit(panel(a=seasonal(), b=seasonal(seed=1))).predict(panel(c=seasonal())),
        "the series 'c' was not among the 2 that were learned ('a', 'b')",
    ),
    "no future of a known column": (
        lambda: quick(known=("price",)).fit(table(seasonal(), price=seasonal(seed=1))).predict(),
        "price of the series is missing at 2018-01",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_cannot_work_is_refused_in_one_line(case):
    attempt, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
