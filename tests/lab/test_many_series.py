"""The measurement of a panel in parts: what is forecast, and that the parts are measured as the whole is."""

import pandas as pd
import pytest

from gatework.lab import many_series as lab


def test_a_panel_has_so_many_series_of_a_season_each() -> None:
    df = lab.panel(3)
    assert df.groupby("unique_id")["y"].count().tolist() == [lab.LENGTH] * 3
    assert df["y"].min() > 0 and not df["y"].duplicated().all()
    pd.testing.assert_frame_equal(df, lab.panel(3))


def test_both_ways_are_measured_and_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "spread", lambda df, workers: (df.head(3 * workers), 2.0))
    monkeypatch.setattr(lab, "forecast", lambda df: df.head(4))
    monkeypatch.setattr("sys.argv", ["many_series", "5", "--workers", "2"])
    lab.main()
    printed = capsys.readouterr().out
    assert "5 series of 36: one process 0.0 s, 4 forecasts" in printed
    assert "2 workers 2.0 s, 6 forecasts; one / 2: 0.00" in printed
