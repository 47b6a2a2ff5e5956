"""What a page is told of a forecaster, and the forecast that it makes of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from inspect_toys import forecaster, months
from page_toys import harness

import gatework as gw
from gatework.errors import InputError
from gatework.forecast.inputs import prepare
from gatework.forecast.model import ensemble_of
from gatework.inspect import inspect
from gatework.inspect.seasons import other_lengths, phase, search_series
from gatework.inspect.series import description
from gatework.layers.description import tensors_of


def told(model: gw.Forecaster, **options: Any) -> dict[str, Any]:
    payload = inspect(model, **options).payload
    return json.loads(json.dumps(payload, allow_nan=False))


def test_a_payload_shows_the_series_and_its_forecast() -> None:
    table = months(gaps=3)
    model = forecaster(table)
    payload = told(model)
    series = payload["series"]
    assert (payload["kind"], series["season"], series["horizon"]) == ("series", 12, 4)
    assert [value is None for value in series["values"]] == table["y"].isna().tolist()
    assert (series["times"][0], series["ahead"][0]) == ("2010-01", "2018-01")
    middle = len(series["probabilities"]) // 2
    assert [row[middle] for row in series["forecast"]] == pytest.approx(model.predict()["forecast"].tolist(), rel=1e-5)
    assert len(series["x"][0]) == len(series["inputs"])
    assert len(payload["units"]) == 2 * 3 * 4  # h and c of three networks of four units
    assert payload["hypotheses"] == []  # 96 steps are too few to say what a unit follows


def test_one_of_several_series_is_looked_at() -> None:
    two = [months(60).assign(unique_id=name, y=lambda frame, k=k: frame["y"] * (1 + k)) for k, name in enumerate("ab")]
    model = forecaster(pd.concat(two))
    assert told(model)["series"]["id"] == "a"
    assert told(model, series="b")["series"]["values"][0] == pytest.approx(2 * months(60)["y"][0], rel=1e-5)
    with pytest.raises(InputError, match="series 'c' is not one of those that the model learned from: a, b"):
        inspect(model, series="c")


def test_rows_that_came_since_are_followed_too(tmp_path: Path) -> None:
    table = months(100)
    model = forecaster(table[:96])
    table[96:].to_csv(tmp_path / "new.csv", index=False)
    payload = told(model, file=tmp_path / "new.csv")
    assert len(payload["series"]["values"]) == 100


def test_a_unit_that_swings_with_the_season_is_found_and_one_that_swings_otherwise_is_not() -> None:
    t, noise = torch.arange(600.0), torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
    units = noise.clone()
    units[:, 3] += 3 * torch.sin(2 * torch.pi * t / 12 + 1)
    units[:, 5] += 3 * torch.sin(2 * torch.pi * t / 17)
    found = phase(units, noise, 12)
    assert found.best == 3
    assert found.followed.nonzero().flatten().tolist() == [3]
    assert phase(units, units, 12).followed.any().item() is False  # an untrained network swings as much
    assert phase(units[:100], noise[:100], 12).enough is False  # four seasons a half
    marks = {"phase": np.arange(600) % 12, "level": units[:, 0].numpy()}
    assert [each.name for each in search_series(units, noise, marks, 12)] == ["phase", "level"]


def test_other_seasons_are_other_seasons() -> None:
    lengths = other_lengths(24)
    assert len(lengths) == 100
    assert all(abs(lengths / near - 1).min() >= 0.1 for near in (12, 24, 48))


def fitted(kind: str) -> gw.Forecaster:
    """A forecaster of a series that is special in some way."""
    table = months(gaps=4 * (kind == "gaps"))
    t = np.arange(len(table))
    match kind:
        case "known":  # the last rows are the future, of which the price alone is known
            return forecaster(table.assign(y=table["y"].where(t < len(t) - 4)), known=["price"])
        case "growing":
            return forecaster(table.assign(y=np.exp(table["y"] / 10) * (1 + t / 10)))
        case "without a season":
            return forecaster(table, season=1)
    return forecaster(table)


IN_THE_PAGE = """
    const tensor = (name) => tensors[name], { series, model, check } = payload;
    const made = prepared(series, series.values), changed = prepared(series, series.values.with(40, 33));
    const forecast = forecastAt(series, model, tensor, made, check.h.at(-1), series.values.length - 1);
    window.result = { x: made.x, changed: changed.x, forecast };
"""


@pytest.mark.parametrize("kind", ["plain", "known", "gaps", "growing", "without a season"])
def test_the_page_makes_the_same_inputs_and_the_same_forecast(show: Any, tmp_path: Path, kind: str) -> None:
    model = fitted(kind)
    payload, weights = told(model), tensors_of(ensemble_of(model.fitted.fitted), description(model))
    tensors = {name: {"shape": list(w.shape), "data": w.flatten().tolist()} for name, w in weights.items()}
    seen = show(harness(tmp_path / "page.html", "forecast.js", IN_THE_PAGE, payload=payload, tensors=tensors))
    result = seen.page.evaluate("window.result")
    assert seen.complaints == []
    assert np.allclose(result["x"], payload["series"]["x"], atol=1e-4)
    assert np.allclose(result["forecast"], payload["series"]["forecast"], rtol=1e-5)
    found = model.fitted
    [series], spacing = found.panel.series, found.panel.spacing
    values = series.y.copy()
    values[40] = 33
    expected = prepare(replace(series, y=values), found.plans[series.id], 4, found.lags, found.beside, spacing).x
    assert np.allclose(result["changed"], expected, atol=1e-4)
