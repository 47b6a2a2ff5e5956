"""Sunspots: the published figures of the linear models, and networks that are held to them."""

import sys

import numpy as np
import pytest

from gatework.errors import InputError
from gatework.lab import Size
from gatework.lab import sunspots as module
from gatework.lab.sunspots import EXPERIMENT, autoregression, errors, lagged, scaled, series, unscaled


@pytest.fixture
def data() -> None:
    pytest.importorskip("statsmodels", reason="statsmodels, which ships the series, is not installed")


def test_the_series_begins_in_1700_and_is_yearly(data: None) -> None:
    years, y = series()
    assert years[0] == 1700 and years[-1] == 2008 and (np.diff(years) == 1).all()
    assert (y >= 0).all() and y.argmax() == 1957 - 1700


def test_linear_models_score_what_is_published(data: None) -> None:
    def rounded(found: dict[str, float]) -> list[float]:
        return [round(error, 3) for error in found.values()]

    assert rounded(errors(lagged(series()[1], 1)[:, 0])) == [0.416, 0.940]  # persistence
    assert rounded(autoregression(9)) == [0.123, 0.342]
    assert rounded(autoregression(12)) == [0.126, 0.358]


def test_a_forecast_sees_the_years_before_alone() -> None:
    assert lagged(np.array([1.0, 2.0, 3.0, 4.0]), 2).tolist() == [[0, 0], [0, 1], [1, 2], [2, 3]]


def test_the_scale_is_undone() -> None:
    y = np.array([0.0, 9.0, 190.2])
    np.testing.assert_allclose(unscaled(scaled(y)), y)


@pytest.mark.parametrize("variant", EXPERIMENT.variants, ids=lambda variant: variant.name)
def test_each_network_is_no_worse_than_ar_9(data: None, variant) -> None:
    found = EXPERIMENT.trial(variant, 0, Size.FULL, print)
    assert found.solved
    assert found.figures["1921-55"] <= found.figures["AR(9) 1921-55"]
    assert found.figures["1956-79"] <= found.figures["AR(9) 1956-79"]


def test_without_statsmodels_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module.series.cache_clear()
    monkeypatch.setitem(sys.modules, "statsmodels.datasets.sunspots", None)
    with pytest.raises(InputError, match=r"^statsmodels is not installed: pip install 'gatework\[bench\]'$"):
        EXPERIMENT.trial(EXPERIMENT.variants[0], 0, Size.TINY, print)
