"""Forecasts of times with a zone: of the same zone, unit and type, also after a run was saved."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from forecast_toys import quick, seasonal

import gatework as gw

ZONE = "Europe/Berlin"
FREQS = {"D": "2024-02-20", "MS": "2019-01-01", "h": "2024-03-29"}  # the forecast crosses or follows a change of clocks


def index(freq: str, unit: str = "ns") -> pd.DatetimeIndex:
    return pd.date_range(FREQS[freq], periods=66, freq=freq, tz=ZONE, unit=unit)


def frames(freq: str, unit: str = "ns") -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    times = index(freq, unit)
    return pd.DataFrame({"ds": times[:60], "y": seasonal(60)}), times[60:]


@pytest.mark.parametrize("unit", ["ns", "ms"])
@pytest.mark.parametrize("freq", FREQS)
def test_pandas_gives_back_the_zone_and_unit_it_came_with(freq: str, unit: str, tmp_path: Path) -> None:
    frame, ahead = frames(freq, unit)
    forecaster = quick().fit(frame)
    made = forecaster.predict()
    assert made["ds"].dtype == frame["ds"].dtype
    assert list(made["ds"]) == list(ahead)
    forecaster.save(tmp_path / "run")
    pd.testing.assert_frame_equal(gw.Forecaster.load(tmp_path / "run").predict(), made)
    forecaster.plot()


@pytest.mark.parametrize("freq", FREQS)
def test_polars_gives_back_its_time_zone(freq: str) -> None:
    frame, ahead = frames(freq, "us")
    made = quick().fit(pl.from_pandas(frame)).predict()
    assert made["ds"].dtype == pl.Datetime("us", ZONE)
    assert made["ds"].to_list() == [time.to_pydatetime() for time in ahead]


def test_pyarrow_gives_back_its_time_zone() -> None:
    frame, _ = frames("D", "us")
    made = quick().fit(pa.Table.from_pandas(frame)).predict()
    assert made.schema.field("ds").type == pa.timestamp("us", ZONE)


def test_dates_of_a_day_stay_such() -> None:
    days = pl.date_range(date(2024, 1, 1), date(2024, 2, 29), eager=True)
    made = quick().fit(pl.DataFrame({"ds": days, "y": seasonal(60)})).predict()
    assert made["ds"].to_list()[0] == date(2024, 3, 1)


@pytest.mark.parametrize("offset", ["+01:00", "-03:30"])
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_texts_with_an_offset_are_answered_at_the_moments_they_mean(offset: str, kind: Any) -> None:
    times = pd.date_range("2024-01-01", periods=66, freq="D", tz=offset)
    made = quick().fit(kind({"ds": [time.isoformat() for time in times[:60]], "y": seasonal(60)})).predict()
    found = made["ds"].to_pylist() if kind is pa.table else made["ds"].to_list()
    assert [pd.Timestamp(time).tz_convert("UTC") for time in found] == list(times[60:].tz_convert("UTC"))


def test_new_rows_of_a_zone_go_on_over_a_change_of_clocks() -> None:
    times = pd.date_range("2024-03-28", periods=84, freq="h", tz=ZONE)
    frame = pd.DataFrame({"ds": times, "y": seasonal(84)})
    forecaster = quick(horizon=3).fit(frame[:70])
    whole = forecaster.predict(frame)
    later = frame[70:].assign(ds=frame["ds"].dt.tz_localize(None))  # clocks of the same zone
    pd.testing.assert_frame_equal(forecaster.predict(later), whole)
    assert whole["ds"].iloc[0] == times[-1] + pd.Timedelta(hours=1)


def test_hours_of_the_clock_are_answered_by_the_clock_and_go_on_after_it_was_set(tmp_path: Path) -> None:
    times = pd.date_range("2024-03-20", periods=90, freq="6h").tz_localize(ZONE)
    frame = pd.DataFrame({"ds": times, "y": seasonal(90)})
    quick().fit(frame[:60]).save(tmp_path / "run")
    forecaster = gw.Forecaster.load(tmp_path / "run")
    assert list(forecaster.predict()["ds"]) == list(times[60:66])
    assert list(forecaster.predict(frame[:84])["ds"]) == list(times[84:])
    assert [time.hour for time in forecaster.predict()["ds"]] == [0, 6, 12, 18, 0, 6]


def test_milliseconds_are_answered_in_milliseconds(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=66, freq="250ms")
    forecaster = quick().fit(pd.DataFrame({"ds": times[:60], "y": seasonal(60)}))
    forecaster.save(tmp_path / "run")
    assert list(gw.Forecaster.load(tmp_path / "run").predict()["ds"]) == list(times[60:])


TABLES: dict[str, Any] = {
    "series": pd.Series(seasonal(60), pd.date_range("2019-01-01", periods=60, freq="MS"), name="sales"),
    "array": seasonal(60),
    "dict": {"ds": np.arange(60), "y": seasonal(60)},
    "rows": [{"y": value} for value in seasonal(60)],
}


@pytest.mark.parametrize("kind", TABLES)
def test_what_is_like_a_table_is_forecast(kind: str) -> None:
    made = quick(freq="MS").fit(TABLES[kind]).predict()
    assert len(made) == 6
    assert np.isfinite(made["forecast"]).all()


def test_learned_values_given_anew_as_others_are_named() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2019-01-01", periods=60, freq="MS"), "y": seasonal(60)})
    forecaster = quick().fit(frame)
    plain = forecaster.predict()
    again = frame.assign(y=frame["y"].where(frame.index != 50, 99.0))
    pd.testing.assert_frame_equal(forecaster.predict(again), plain)
    note = "1 value that was learned is given anew with another value, first 2023-03"
    assert [told for told in forecaster.notes if told.startswith(note)]
    forecaster.predict(frame)
    assert not [told for told in forecaster.notes if "anew" in told]
