"""The simple forecasts of the page, and the limits of its bands, are those of Python, from every origin."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_toys import harness

from gatework.forecast.base import Base
from gatework.forecast.limits import around_shift, bounded
from gatework.forecast.rivals import normal

RANDOM = np.random.default_rng(0)
SEASONAL = np.round(20 + RANDOM.normal(size=70).cumsum() + 5 * np.sin(2 * np.pi * np.arange(70) / 6), 3)
RARE = (RANDOM.random(70) < 0.4) * RANDOM.geometric(0.3, 70).astype(float)
BASES = [
    *(Base(kind) for kind in ("last value", "mean", "median", "drift")),
    *(Base(kind, 6) for kind in ("seasonal naive", "seasonal naive with drift")),
    Base("median", 1, (12,)),
    Base("smoothing", 6, (0.35, 0.1, 0.25)),
    Base("smoothing", 1, (0.35, 0.3, 0.0, 1.0)),
    Base("smoothing", 6, (0.35, 0.1, 0.25, 0.9), second=12),
    *(Base("autoregression", m, weights) for m in (1, 6) for weights in ((2, 0), (3, 1))),
    Base("intermittent demand", 1, (0.2, 0.05)),
]


def asked(show: Any, path: Path, entry: str, call: str, **values: Any) -> Any:
    """What a function of the page answers, nan as null."""
    body = f"window.result = ({call}).map((row) => row.map((value) => (Number.isNaN(value) ? null : value)));"
    seen = show(harness(path, entry, body, **values))
    assert seen.complaints == []
    return np.array(seen.page.evaluate("window.result"), dtype=float)


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base}, {base.weights}")
def test_a_simple_forecast_of_the_page_is_that_of_python(show: Any, tmp_path: Path, base: Base) -> None:
    z = RARE if base.kind in ("median", "intermittent demand") else SEASONAL
    given = {"kind": base.kind, "season": base.season, "second": base.second, "weights": base.weights}
    found = asked(
        show, tmp_path / "page.html", "simple_forecasts.js", "simpleForecast(base, z, 8)", base=given, z=z.tolist()
    )
    np.testing.assert_allclose(found, base.forecasts(z, 8), rtol=1e-6, atol=1e-9)


def test_limits_of_the_page_are_those_of_python(show: Any, tmp_path: Path) -> None:
    probabilities, base = (0.1, 0.5, 0.9), Base("last value").forecasts(SEASONAL, 4)
    wild = np.array([[-1e6, 20, 1e6], [19, 20, 21], [20, 20, 20], [15, 20, 90]], float)
    call = "bounded(wild, normal, y, base, scale, 3, 69)"
    values = {"wild": wild.tolist(), "normal": normal(probabilities).tolist(), "scale": [1, 0.5, 2, 9]}
    found = asked(show, tmp_path / "page.html", "limits.js", call, y=SEASONAL.tolist(), base=base.tolist(), **values)
    np.testing.assert_allclose(
        found, bounded(wild, probabilities, SEASONAL, base, np.array([1, 0.5, 2, 9]), 3), rtol=1e-9
    )


@pytest.mark.parametrize("since", [1, 3])
def test_a_shifted_level_is_in_the_bands_of_the_page_too(show: Any, tmp_path: Path, since: int) -> None:
    y = np.where(np.arange(60) < 60 - since, 5.0, 9.0)
    probabilities, base = (0.1, 0.25, 0.5, 0.9), Base("mean").forecasts(y, 2)
    wild = np.array([[6, 6.5, 7, 8], [5.5, 6, 7, 10]], float)
    values = {"wild": wild.tolist(), "normal": normal(probabilities).tolist()}
    call = "aroundShift(wild, normal, y, base, 3, 59)"
    found = asked(show, tmp_path / "page.html", "limits.js", call, y=y.tolist(), base=base.tolist(), **values)
    expected = around_shift(wild, probabilities, y, base[:, 0], 3)
    assert (expected[:, 0] <= 5).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9)
