"""gatework's tables beside Nixtla's: what evaluates theirs evaluates ours, and the numbers are the Forecaster's."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from forecast_toys import panel, quick, seasonal
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import coverage, mae, mase, scaled_crps

import gatework as gw
from gatework.adapters.nixtla import NixtlaForecaster
from numerics import same

DF = panel(a=seasonal(96), b=seasonal(96, seed=1))[["unique_id", "ds", "y"]].reset_index(drop=True)
SMALL = {"season": 12, "steps": 5, "members": 2, "hidden": 4}


def small(h: int = 4, **options: object) -> NixtlaForecaster:
    return NixtlaForecaster(h, "MS", **{**SMALL, **options})


def same_numbers(actual: object, expected: object) -> None:
    same(torch.tensor(np.asarray(actual)), torch.tensor(np.asarray(expected)))


def test_a_forecast_is_that_of_the_forecaster_under_nixtlas_names():
    made = small().fit(DF).predict(h=3, level=[80])
    assert list(made.columns) == ["unique_id", "ds", "gatework", "gatework-lo-80", "gatework-hi-80"]
    expected = quick(4, season=12).fit(DF).forecasts()
    same_numbers(made["gatework"], np.concatenate([each.median[:3] for each in expected]))
    same_numbers(made["gatework-lo-80"], np.concatenate([each.at(0.1)[:3] for each in expected]))
    assert made.ds.tolist() == list(pd.date_range("2018-01-01", periods=3, freq="MS")) * 2


def test_cross_validation_stands_beside_statsforecasts_and_is_evaluated_with_it():
    settings = {"df": DF, "h": 4, "n_windows": 2, "step_size": 3, "level": [80]}
    ours = small().cross_validation(**settings)
    theirs = StatsForecast([SeasonalNaive(12)], freq="MS").cross_validation(**settings)
    key = ["unique_id", "ds", "cutoff"]
    both = theirs.merge(ours.drop(columns="y"), on=key, how="inner")
    assert len(both) == len(ours) == len(theirs) == 2 * 2 * 4
    same_numbers(ours.y, theirs.y)
    metrics = [mae, partial(mase, seasonality=12), coverage]
    scores = evaluate(both, metrics, models=["gatework", "SeasonalNaive"], train_df=DF, level=[80])
    assert scores[["gatework", "SeasonalNaive"]].notna().all(axis=None)
    by_hand = (both["gatework"] - both["y"]).abs().groupby([both.unique_id, both.cutoff]).mean()
    same_numbers(scores[scores.metric == "mae"].sort_values(["unique_id", "cutoff"])["gatework"], by_hand)


def test_a_window_knows_nothing_of_what_came_after_its_cutoff():
    made = small().cross_validation(DF, n_windows=2, step_size=4)
    first = made[made.cutoff == made.cutoff.min()]
    before = DF[DF.ds <= made.cutoff.min()]
    same_numbers(first["gatework"], small().forecast(before)["gatework"])


def test_without_refit_the_networks_go_on_from_their_state():
    made = small().cross_validation(DF, n_windows=2, step_size=4, refit=False)
    cutoff = made.cutoff.max()
    fitted = small().fit(DF[DF.ds <= made.cutoff.min()])
    same_numbers(made[made.cutoff == cutoff]["gatework"], fitted.predict(X_df=DF[DF.ds <= cutoff])["gatework"])


def test_tables_of_polars_come_back_as_polars():
    made = small().cross_validation(pl.from_pandas(DF), h=2)
    assert isinstance(made, pl.DataFrame) and made["ds"].dtype == made["cutoff"].dtype
    scores = evaluate(made, [mae, scaled_crps], models=["gatework"], level=[80, 95])
    assert scores.filter(pl.col("metric") == "mae").height == 2


def test_more_steps_than_are_learned_are_refused():
    with pytest.raises(gw.InputError, match="h is 9, and 4 steps are learned: make the forecaster with h=9"):
        small().fit(DF).predict(h=9)


def test_a_series_without_rows_before_the_first_window_is_named():
    short = pd.concat([DF, DF[:8].assign(unique_id="new")])
    with pytest.raises(gw.InputError, match="'new' has 8 rows, of which the windows are the last 8"):
        small().cross_validation(short, n_windows=2, step_size=4)
