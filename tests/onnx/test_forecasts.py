"""Runs of series as ONNX: what is computed from series alone goes in, their forecasts come out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_toys import MONTHS, panel, quick, seasonal, table
from onnx_toys import RUNTIMES, by_onnxruntime, recurrent_operators

import gatework as gw
from gatework.cli import main
from gatework.runtime import ForecastSession

CLOSE = 1e-5  # of what the quantiles of a series span: float32 beside float64 around the networks


def beside(T: int = 90) -> pd.DataFrame:
    """Two series with columns of each kind; the swings of one grow."""
    t = np.arange(T + 6)
    y = {"a": seasonal(T), "b": np.exp(seasonal(T, seed=1) / 8)}
    columns = {"price": np.sin(t / 3), "rain": np.where(t < T, np.cos(t), np.nan)}
    return pd.concat(
        pd.DataFrame({"ds": MONTHS[: T + 6], "y": [*values, *[np.nan] * 6], **columns, "kind": id, "unique_id": id})
        for id, values in y.items()
    )


def shifted() -> np.ndarray:
    """No season, and a level that has just changed as never before."""
    y = 50 + np.random.default_rng(2).normal(size=80)
    y[-1] += 60
    return y


KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "beside": ({"known": ("price",), "past": ("rain",), "static": ("kind",), "levels": (80, 90)}, beside()),
    "tied": ({"cell": "sru", "members": 3}, table(seasonal(90))),
    "slstm": ({"cell": "slstm", "season": 12}, table(seasonal(90))),
    "shift": ({"cell": "gru", "season": 1}, shifted()),
    "counts": ({"members": 1}, np.random.default_rng(1).poisson(0.6, 90).astype(float)),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, gw.Forecaster]:
    """Forecasters whose networks count wholly, and say more than the limits allow."""
    made = {}
    for kind, (options, df) in KINDS.items():
        forecaster = quick(**{"steps": 20, **options}).fit(df)
        learned = forecaster.fitted.fitted
        learned = replace(learned, trust=1.0, factors=np.linspace(0.5, 3, len(learned.factors)))
        forecaster.model = replace(forecaster.fitted, fitted=learned)
        made[kind] = forecaster
    return made


def session_of(forecaster: gw.Forecaster, folder: Path) -> ForecastSession:
    forecaster.save(folder / "run")
    return ForecastSession(folder / "run")


def assert_close(found: np.ndarray, forecasts: list[gw.forecast.Forecast]) -> None:
    assert len(found) == len(forecasts)
    for one, forecast in zip(found, forecasts, strict=True):
        np.testing.assert_allclose(one, forecast.quantiles, rtol=0, atol=CLOSE * np.ptp(forecast.quantiles))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_out_is_the_forecast(
    fitted: dict[str, gw.Forecaster], tmp_path: Path, kind: str, runtime: str
) -> None:
    model = gw.onnx.export(fitted[kind], tmp_path / "model.onnx", states=False)
    feeds = session_of(fitted[kind], tmp_path).feeds()
    assert {each.name for each in model.graph.input} == feeds.keys()
    (found,) = RUNTIMES[runtime](model, feeds)
    assert found.dtype == np.float32
    assert_close(found, fitted[kind].forecasts())


def test_each_input_has_a_say(fitted: dict[str, gw.Forecaster], tmp_path: Path) -> None:
    forecaster = fitted["beside"]
    learned = forecaster.fitted.fitted
    linear = replace(learned.linear, weights=np.full_like(learned.linear.weights, 0.01))
    changed = forecaster.unfitted()
    changed.model = replace(forecaster.fitted, fitted=replace(learned, linear=linear))
    model = gw.onnx.export(changed, tmp_path / "model.onnx", states=False)
    feeds = session_of(changed, tmp_path).feeds()
    (usual,) = by_onnxruntime(model, feeds)
    assert_close(usual, changed.forecasts())
    for name, value in feeds.items():
        other = ~value if value.dtype == bool else value - value // 2 if name == "lengths" else value + 1.5
        other = np.full_like(value, 99) if name in ("floor", "lowest", "high") else other
        other = np.full_like(value, -99) if name in ("highest", "low") else other
        (moved,) = by_onnxruntime(model, {**feeds, name: other.astype(value.dtype)})
        assert not np.allclose(moved, usual), name


def test_a_linear_part_is_cut_off_where_there_are_no_limits(fitted: dict[str, gw.Forecaster], tmp_path: Path) -> None:
    forecaster = fitted["tied"].unfitted()
    model = fitted["tied"].fitted
    linear = replace(model.fitted.linear, weights=np.full_like(model.fitted.linear.weights, 9.0))
    plans = {id: replace(plan, bounded=False) for id, plan in model.plans.items()}
    forecaster.model = replace(model, plans=plans, fitted=replace(model.fitted, linear=linear))
    written = gw.onnx.export(forecaster, tmp_path / "model.onnx", states=False)
    feeds = session_of(forecaster, tmp_path).feeds()
    assert "lowest" not in feeds
    (found,) = by_onnxruntime(written, feeds)
    assert_close(found, forecaster.forecasts())


def test_series_of_other_lengths_stand_side_by_side(tmp_path: Path) -> None:
    forecaster = quick(steps=20).fit(panel(long=seasonal(96), short=seasonal(9), half=seasonal(50, seed=1)))
    model = gw.onnx.export(forecaster, tmp_path / "model.onnx", states=False)
    feeds = session_of(forecaster, tmp_path).feeds()
    assert feeds["x"].shape[:2] == (96, 2)  # too short to learn from is answered naively, without networks
    assert feeds["lengths"].tolist() == [96, 50]
    (found,) = by_onnxruntime(model, feeds)
    assert_close(found, [each for each in forecaster.forecasts() if each.id != "short"])


@pytest.mark.parametrize("kind", ["tied", "slstm"])
def test_states_go_on_with_new_steps(fitted: dict[str, gw.Forecaster], tmp_path: Path, kind: str) -> None:
    model = gw.onnx.export(fitted[kind], tmp_path / "model.onnx")
    session = session_of(fitted[kind], tmp_path)
    feeds, states = session.feeds(), session.start(1)
    for first, last in ((0, 60), (60, 89), (89, 90)):
        part = feeds | {"x": feeds["x"][first:last], "lengths": np.array([last - first])} | states
        found, *after = by_onnxruntime(model, part)
        states = dict(zip(states, after, strict=True))
    assert_close(found, fitted[kind].forecasts())
    about = {each.key: each.value for each in model.metadata_props}
    assert json.loads(about["start"]).keys() == states.keys()


def test_new_rows_go_into_what_is_read(fitted: dict[str, gw.Forecaster], tmp_path: Path) -> None:
    model = gw.onnx.export(fitted["tied"], tmp_path / "model.onnx", states=False)
    rows = table(seasonal(110))[90:]
    (found,) = by_onnxruntime(model, session_of(fitted["tied"], tmp_path).feeds(rows))
    assert_close(found, fitted["tied"].forecasts(rows))


def test_the_file_says_what_each_number_is(fitted: dict[str, gw.Forecaster], tmp_path: Path) -> None:
    model = gw.onnx.export(fitted["beside"], tmp_path / "model.onnx")
    about = {each.key: each.value for each in model.metadata_props}
    assert about["task"] == "series"
    assert json.loads(about["probabilities"]) == list(fitted["beside"].probabilities)
    assert json.loads(about["columns"])["known"] == ["price"]
    names = json.loads(about["inputs"])
    sizes = {each.name: each.type.tensor_type.shape.dim[-1].dim_value for each in model.graph.input}
    assert {name: len(listed) for name, listed in names.items()} == {name: sizes[name] for name in names}
    assert names["known"] == ["price, at that step", "price, now", "price, a season before that step"]
    assert {"price", "rain", "kind=a"} < set(names["x"])
    assert recurrent_operators(model) == {"LSTM"}


def test_the_command_exports_a_run(
    fitted: dict[str, gw.Forecaster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fitted["counts"].save(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gatework", "export", "run", "--onnx", "model.onnx", "--no-states"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  in: x [T,B,")
    assert lines[2] == " out: quantiles [B,6,11]"
