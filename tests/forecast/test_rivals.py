"""What forecasts are measured against, held to values computed by hand."""

from statistics import NormalDist

import numpy as np
import pytest

from gatework.forecast.options import DECILES
from gatework.forecast.rivals import border, normal, of_statsforecast, rivals, seasonal_naive

Y = np.array([1.0, 5.0, 2.0, 7.0, 4.0, 9.0])  # over a season of 2: changes 1, 2, 2, 2


def test_seasonal_naive_repeats_the_last_season_and_widens_by_the_root_of_the_seasons_ahead() -> None:
    deviation, z = np.sqrt((1 + 4 + 4 + 4) / 4), NormalDist().inv_cdf(0.9)
    width = z * deviation * np.sqrt([1, 1, 2, 2, 3])
    expected = np.array([4, 9, 4, 9, 4])[:, None] + np.stack([-width, 0 * width, width], 1)
    assert seasonal_naive(Y, 5, 2, (0.1, 0.5, 0.9)) == pytest.approx(expected)


def test_seasonal_naive_leaves_missing_values_out_of_its_deviation_and_fills_them_from_the_season_before() -> None:
    y = np.array([1.0, 5.0, 2.0, np.nan, 4.0, 8.0])  # changes 1, -, 2, -
    expected = 5.0 + np.sqrt(5 / 2) * NormalDist().inv_cdf(0.8)
    assert seasonal_naive(y[:5], 1, 2, (0.8,))[0, 0] == pytest.approx(expected)
    assert seasonal_naive(np.array([3.0, np.nan]), 2, 2, (0.1, 0.9)).tolist() == [[3, 3], [3, 3]]


def test_quantiles_of_the_normal_distribution() -> None:
    assert normal((0.1, 0.5, 0.975)) == pytest.approx([-1.281552, 0, 1.959964], abs=1e-6)


def test_a_quantile_is_a_border_of_the_band_as_wide() -> None:
    made = {"mean": [5.0], "lo-80": [1.0], "hi-80": [9.0], "lo-60.0": [2.0], "hi-60.0": [8.0]}
    found = [border(made, p)[0] for p in (0.1, 0.2, 0.5, 0.8, 0.9)]
    assert found == [1, 2, 5, 8, 9]


def test_seasonal_naive_is_always_there() -> None:
    assert next(iter(rivals())) == "seasonal naive"


def test_a_model_of_statsforecast_gives_its_mean_and_the_borders_of_its_bands() -> None:
    models = pytest.importorskip("statsforecast.models", reason="statsforecast is not installed")
    y = 10 + np.tile([0.0, 3.0, 1.0, -4.0], 10) + np.random.default_rng(0).normal(size=40)
    found = of_statsforecast("AutoETS")(y, 3, 4, (0.1, 0.5, 0.9))
    direct = models.AutoETS(season_length=4).forecast(y=y, h=3, level=[80])
    np.testing.assert_allclose(found, np.stack([direct["lo-80"], direct["mean"], direct["hi-80"]], 1))


ODD = {"constant": np.full(30, 7.0), "holes": np.where(np.arange(30) % 4 == 0, 5.0 + np.arange(30), np.nan)}


@pytest.mark.parametrize("model", ["seasonal naive", "AutoETS", "AutoARIMA"])
@pytest.mark.parametrize("name", ODD)
def test_every_model_has_a_forecast_of_constants_and_of_series_with_holes(name: str, model: str) -> None:
    if model not in rivals():
        pytest.skip("statsforecast is not installed")
    assert np.isfinite(rivals()[model](ODD[name], 6, 4, DECILES)).all()
