"""Airline passengers: the published figures of forecasts that need no learning, and what is held out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatework.errors import InputError
from gatework.forecast.metrics import rmse
from gatework.lab import Size, airline
from gatework.lab.airline import EXPERIMENT, naive, panel

Y = panel().series[0].y


def test_the_naive_methods_score_what_is_published() -> None:
    longer, year = naive(Y[:-36], 36), naive(Y[:-12], 12)
    assert round(rmse(Y[-36:], longer["last year"]), 1) == 73.6
    assert round(100 * np.mean(np.abs(longer["last year"] / Y[-36:] - 1)), 1) == 13.2
    assert round(rmse(Y[-12:], year["last year"]), 1) == 50.7
    assert round(rmse(Y[-12:], year["last year x growth"]), 1) == 16.8


def test_growth_goes_on_from_year_to_year() -> None:
    y = np.concatenate([np.full(12, 100.0), np.full(12, 110.0)])
    np.testing.assert_allclose(naive(y, 24)["last year x growth"], np.repeat([121.0, 133.1], 12))


@pytest.mark.parametrize("variant", EXPERIMENT.variants[::2], ids=lambda variant: variant.form)
def test_a_tiny_run_of_each_form_forecasts_the_months_left_out(variant) -> None:
    found = EXPERIMENT.trial(variant, 0, Size.TINY, print)
    assert len(found.traces["forecast"]) == variant.options["left_out"]
    assert found.solved is (found.figures["RMSE ours"] < min(v for k, v in found.figures.items() if "last" in k))


def test_nothing_of_the_months_left_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (series,) = panel().series
    variant = EXPERIMENT.variants[2]  # 12 months
    before = EXPERIMENT.trial(variant, 0, Size.TINY, print).traces
    later = np.concatenate([series.y[:-12], np.full(12, 1.0)])
    changed = replace(panel(), series=(replace(series, y=later),))
    monkeypatch.setattr(airline, "panel", lambda: changed)
    assert EXPERIMENT.trial(variant, 0, Size.TINY, print).traces == before


def test_outside_the_repository_the_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    panel.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(airline, "__file__", str(tmp_path / "a" / "b" / "c" / "airline.py"))
    with pytest.raises(InputError, match=r"^no examples/air_passengers.csv here: .* run this in its folder$"):
        panel()
