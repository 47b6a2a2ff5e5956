"""The picture of a forecast: history, median and bands."""

from pathlib import Path

import numpy as np
import pytest

from gatework import InputError
from gatework.forecast import plot as forecast_plot
from gatework.forecast.data.series import Series, Spacing
from gatework.forecast.plot import MOST, check_picture, draw
from gatework.forecast.prediction import Forecast

LEVELS = (80, 95)
PROBABILITIES = (0.025, 0.1, 0.5, 0.9, 0.975)


def made(name: str, T: int = 60, h: int = 12, unit: str = "month") -> tuple[Series, Forecast]:
    spacing = Spacing(unit)
    times = spacing.at(0 if unit == "step" else np.datetime64("2020-01-01"), np.arange(T + h))
    y = np.sin(np.arange(T) / 2) + 5
    none = np.zeros((T, 0))
    quantiles = 5 + np.arange(1, h + 1)[:, None] * np.array([-0.2, -0.1, 0, 0.1, 0.2])
    return Series(name, times[:T], y, none, none, none[0]), Forecast(name, times[T:], quantiles, PROBABILITIES)


def figure(*pairs: tuple[Series, Forecast]):  # type: ignore[no-untyped-def]
    return draw([series for series, _ in pairs], [forecast for _, forecast in pairs], LEVELS)


@pytest.mark.parametrize("unit", ["month", "hour", "step"])
def test_history_and_median_meet_inside_the_bands(unit: str) -> None:
    series, forecast = made("sales", unit=unit)
    drawn = figure((series, forecast))
    (axis,), (legend,) = drawn.axes, drawn.legends
    history, median = axis.lines
    assert axis.get_title() == "sales"
    assert np.array_equal(history.get_ydata(), series.y)
    assert median.get_xdata()[0] == history.get_xdata()[-1]
    assert np.array_equal(median.get_ydata(), [series.y[-1], *forecast.median])
    wide, narrow = (band.get_paths()[0].get_extents() for band in axis.collections)
    assert wide.height > narrow.height
    assert [text.get_text() for text in legend.get_texts()] == [
        "history",
        "95 % band",
        "80 % band",
        "median",
    ]


def test_only_the_end_of_a_long_history_is_shown() -> None:
    (axis,) = figure(made("long", T=5000)).axes
    assert len(axis.lines[0].get_ydata()) == forecast_plot.LEAST_HISTORY


def test_missing_values_are_gaps() -> None:
    series, forecast = made("holes")
    series.y[20:25] = np.nan
    (axis,) = figure((series, forecast)).axes
    assert np.isnan(axis.lines[0].get_ydata()).sum() == 5


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_the_first_six_of_many_series_are_shown(count: int) -> None:
    drawn = figure(*(made(f"s{i}") for i in range(count)))
    assert [axis.get_title() for axis in drawn.axes] == [f"s{i}" for i in range(min(count, MOST))]
    title = drawn.legends[0].get_title().get_text()
    assert title == ("the first 6 of 9 series" if count > MOST else "")


def test_pictures_have_formats(tmp_path: Path) -> None:
    check_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.docx: expected a picture's name ending in .*\.eps, .*\.png"):
        check_picture(tmp_path / "a.docx")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(forecast_plot, "import_module", absent)
    with pytest.raises(InputError, match=r"pip install 'gatework\[plot\]'"):
        draw([], [], LEVELS)
    with pytest.raises(InputError, match=r"pip install 'gatework\[plot\]'"):
        figure(made("sales"))
