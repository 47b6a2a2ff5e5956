"""The tables of forecasts beside rivals: what is measured, what is kept, and how means are taken."""

import json
from argparse import Namespace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatework.lab import forecasting
from gatework.lab.forecasting import NAIVE, OURS
from gatework.lab.forecasting_rare import two_parts
from gatework.lab.forecasting_sets import SERIES, SeriesSet

SETS = [SeriesSet(name, lambda: [np.arange(30.0)], 5, 1, "month") for name in ("a", "b")]


def row(mase: float, coverage: float = 0.8) -> dict[str, float]:
    return {"mase": mase, "scaled_quantile_loss": mase, "coverage_80": coverage, "seconds": 1.0}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, list[str]]]:
    """What would have been measured: set, seeds, rivals."""
    calls: list[tuple[str, int, list[str]]] = []

    def made(what: SeriesSet, seeds: int, beside: Any) -> dict[str, dict[str, float]]:
        calls.append((what.name, seeds, list(beside)))
        return {OURS: row(0.5)} | {name: row(1.0) for name in beside}

    monkeypatch.setattr(forecasting, "_measured", made)
    return calls


def asked(path: Path, rivals: str = "naive", *, anew: bool = False) -> Namespace:
    return Namespace(figures=path, rivals=rivals, seeds=2, anew=anew)


def test_what_is_in_the_file_is_not_measured_again(tmp_path: Path, measured: list[Any]) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps({"a": {OURS: row(0.7), NAIVE: row(1.0)}}))
    figures = forecasting._all_measured(SETS, asked(path))
    assert measured == [("b", 2, [NAIVE])]
    assert (figures["a"][OURS]["mase"], figures["b"][OURS]["mase"]) == (0.7, 0.5)
    forecasting._all_measured(SETS, asked(path, "all"))
    assert measured[1:] == [(name, 0, list(forecasting.CLASSICAL)) for name in ("a", "b")]
    assert json.loads(path.read_text())["a"][OURS]["mase"] == 0.7
    forecasting._all_measured(SETS[:1], asked(path, anew=True))
    assert measured[3:] == [("a", 2, [])]


def test_tables_say_what_was_measured_and_what_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], measured: list[Any]
) -> None:
    path = tmp_path / "figures.json"
    known = {
        "a": {OURS: row(0.0, 0.6), NAIVE: row(2.0), "AutoETS": row(1.0), "AutoARIMA": row(3.0)},
        "b": {OURS: row(0.9), NAIVE: row(1.0), "AutoETS": row(0.8), "AutoARIMA": row(0.9), "LSTM": row(0.6)},
    }
    path.write_text(json.dumps(known))
    forecasting._print_sets(SETS, asked(path))
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert ["a *", "0.00", "0.50", "1.50", "-"] in lines
    assert ["b", "0.90", "0.80", "0.90", "0.60"] in lines
    assert ["a *", "0.60 ± 0.10", "0.80", "0.80", "-"] in lines
    assert ["mean, all", "0.300", "0.632", "1.162", "-"] in lines
    assert ["mean, all of MASE 0.1 and more", "0.900", "0.800", "0.900", "0.600"] in lines
    assert [
        "MASE over 1.1 times the better of AutoETS and AutoARIMA: 1 of 2 sets; 80 % band holds 72 to 88 %: 1 of 2 sets"
    ] in lines
    assert [
        "AutoETS over 1.1 times the better of gatework and AutoARIMA: 1; "
        "AutoARIMA over 1.1 times the better of gatework and AutoETS: 2"
    ] in lines
    assert not measured


def test_a_ratio_of_nothing_does_not_decide_a_mean_alone() -> None:
    figures = {"a": {OURS: row(0.0), NAIVE: row(2.0)}, "b": {OURS: row(0.4), NAIVE: row(1.0)}}
    assert forecasting._cell(figures, SETS, OURS, "mase", ".3f") == "0.200"


def test_bands_that_are_right_hold_their_share_by_chance() -> None:
    (what, _), n = SETS, 3 * 5
    binomial = sum(comb(n, k) * 0.8**k * 0.2 ** (n - k) for k in range(n + 1) if 0.72 <= k / n <= 0.88)
    independent, summed = (forecasting._chance_near(what, summed=each) for each in (False, True))
    assert independent == pytest.approx(binomial, abs=4 * (0.25 / forecasting.DRAWS) ** 0.5)
    assert summed < independent - 0.1, "errors that hang together leave fewer to judge by"


def test_halves_for_choosing_and_judging_are_the_sets_in_turn() -> None:
    assert [what.name for what in SERIES[:2]] == ["air passengers", "sunspots"]
    assert len({what.name for what in SERIES}) == len(SERIES) == 25


def test_a_distribution_in_two_parts_has_its_zeros_and_what_is_above_them() -> None:
    y = np.tile([0.0, 0.0, 0.0, 3.0, 0.0, 9.0], 40)
    q = two_parts(y, 4, (0.1, 0.5, 0.8, 0.95))
    assert q.shape == (4, 4)
    assert (q == q[0]).all()
    assert q[0, :2].tolist() == [0.0, 0.0], "two thirds are zero"
    assert 3 <= q[0, 2] <= q[0, 3] <= 9
    assert not two_parts(np.zeros(20), 2, (0.1, 0.9)).any()
