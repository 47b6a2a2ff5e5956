"""Backtests: windows that do not overlap and see nothing later, with other forecasts beside."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from forecast_toys import panel, quick, seasonal, table

from gatework import InputError
from gatework.forecast.backtest import backtest, until
from gatework.forecast.data.series import read_panel
from gatework.forecast.rivals import rivals, seasonal_naive


def test_windows_follow_one_another_and_the_last_ends_at_the_last_value():
    whole = read_panel(table(seasonal(96)))
    seen = []

    def spy(y, h, m, probabilities):
        seen.append(len(y))
        return seasonal_naive(y, h, m, probabilities)

    backtest(quick(6), whole, 3, beside={"spy": spy}, scaled_by=12)
    assert seen == [78, 84, 90]


def test_what_comes_after_the_origin_is_not_seen():
    y = seasonal(96)
    other = np.where(np.arange(96) < 90, y, 1000.0)
    first, second = (until(read_panel(table(values)), 6, 6) for values in (y, other))
    assert np.array_equal(
        quick(6).fit_panel(first).forecasts()[0].median, quick(6).fit_panel(second).forecasts()[0].median
    )


def test_the_scores_of_seasonal_naive_are_those_computed_by_hand():
    y = seasonal(96)
    found = backtest(quick(6), read_panel(table(y)), 2, beside={"seasonal naive": seasonal_naive}, scaled_by=12)
    by_hand = [
        np.abs(y[end : end + 6] - y[end - 12 : end - 6]).mean() / np.abs(y[12:end] - y[: end - 12]).mean()
        for end in (84, 90)
    ]
    rows = {row["model"]: row for row in found.means()}
    assert rows["seasonal naive"]["mase"] == pytest.approx(np.mean(by_hand))
    assert rows["seasonal naive"]["relative_mase"] == 1
    assert rows["lstm"]["relative_mase"] == pytest.approx(rows["lstm"]["mase"] / np.mean(by_hand))


def test_every_series_is_scored_in_every_window():
    found = backtest(quick(6), read_panel(panel(a=seasonal(), b=seasonal(seed=1))), 2, beside={})
    assert [(score.id, score.window) for score in found.scores] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_the_method_returns_a_frame_with_a_row_for_each_model():
    found = quick(6).backtest(table(seasonal()), 1)
    assert list(found["model"])[:2] == ["lstm", "seasonal naive"]
    assert {"mase", "relative_mase", "smape", "rmse", "scaled_quantile_loss", "coverage_80", "seconds"} <= set(
        found.columns
    )


@pytest.mark.parametrize(("made", "kind"), [(pl.from_pandas, pl.DataFrame), (dict, pd.DataFrame)])
def test_the_frame_is_of_the_kind_that_was_given_or_of_one_that_is_installed(made: Any, kind: type) -> None:
    assert isinstance(quick(6).backtest(made(table(seasonal(60))), 1), kind)


def test_rivals_of_statsforecast_give_ordered_quantiles():
    pytest.importorskip("statsforecast", reason="statsforecast is not installed")
    y = seasonal(60)
    for name, rival in rivals().items():
        quantiles = rival(y, 4, 12, (0.1, 0.5, 0.9))
        assert quantiles.shape == (4, 3), name
        assert (np.diff(quantiles, axis=1) > 0).all(), name


def test_too_many_windows_are_refused():
    with pytest.raises(InputError, match="has 96 rows: 15 windows of 6 steps and the history before them need 104"):
        backtest(quick(6), read_panel(table(seasonal(96))), 15)
    with pytest.raises(InputError, match="windows is 0"):
        backtest(quick(6), read_panel(table(seasonal(96))), 0)
