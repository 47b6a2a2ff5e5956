"""How predictions are judged: the nearest accepted target counts, intervals hold what they should."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from gatework.pairs.data.symbols import Text
from gatework.pairs.metrics import Losses, PairReport, confusions, interval, judge

ACCEPTED: list[list[Text]] = [[tuple("abc"), tuple("abd")], [tuple("xy")], [tuple("a"), tuple("pqrs")], [tuple("aaaa")]]
PREDICTED: list[Text] = [tuple("abd"), tuple("y"), tuple("pqrst"), ()]


def test_the_nearest_accepted_target_counts() -> None:
    judged = judge(PREDICTED, ACCEPTED)
    assert judged.edits.tolist() == [0, 1, 1, 4]
    assert judged.symbols.tolist() == [3, 2, 4, 4]
    assert judged.nearest.tolist() == [1, 0, 1, 0]
    assert judged.exact.tolist() == [True, False, False, False]
    assert judged.word_error_rate == 0.75
    assert judged.symbol_error_rate == 6 / 13


def test_the_first_of_equally_near_targets_counts() -> None:
    assert judge([tuple("ab")], [[tuple("ac"), tuple("abc"), tuple("xy")]]).nearest.tolist() == [0]


def test_confusions_are_those_with_the_nearest_target() -> None:
    found = confusions(PREDICTED, ACCEPTED, judge(PREDICTED, ACCEPTED))
    assert found == {("x", ""): 1, ("", "t"): 1, ("a", ""): 4}


def test_the_report_says_what_was_judged() -> None:
    losses = Losses(np.array([1, 2, 3, 4]) * math.log(2), np.array([1, 2, 3, 4]))
    report = PairReport.of(PREDICTED, ACCEPTED, losses)
    assert (report.exact, report.word_error_rate, report.symbol_error_rate) == (0.25, 0.75, 6 / 13)
    assert report.perplexity == pytest.approx(2)
    assert report.confused[0] == ("a", "", 4)
    text = "\n".join(report.lines())
    assert "25.0% of 4 whole targets right" in text
    assert "symbol error rate 46.15%" in text
    assert "perplexity 2.000 a target symbol (95 % interval 2.000 to 2.000)" in text
    assert "most often wrong: a left out (4), " in text
    assert "t too much (1)" in text
    assert "b for a" not in text
    assert PairReport.of([("b",)], [[("a",)]]).lines()[-1] == "most often wrong: b for a (1)"
    assert PairReport.of([("a",)], [[("a",)]]).perplexity is None


def test_sources_whose_targets_have_no_symbols_to_count_are_left_out_of_perplexity() -> None:
    predicted, accepted = [("a",)] * 3, [[("a",)]] * 3
    report = PairReport.of(predicted, accepted, Losses(np.array([9.0, 2 * np.log(3), 9.0]), np.array([0, 2, 0])))
    assert report.perplexity == pytest.approx(3)
    assert report.perplexity_interval == pytest.approx((3, 3))
    assert PairReport.of(predicted, accepted, Losses(np.ones(3), np.zeros(3, np.int64))).perplexity is None


def test_a_rate_of_no_symbols_is_none_and_is_shown_as_a_dash() -> None:
    report = PairReport.of([(), ("a",)], [[()], [()]], Losses(np.zeros(2), np.zeros(2, np.int64)))
    assert (report.symbol_error_rate, report.symbol_interval, report.perplexity) == (None, None, None)
    assert report.lines()[1] == "symbol error rate -"
    assert json.loads(json.dumps(asdict(report), allow_nan=False))["exact"] == 0.5


def test_samples_without_a_symbol_are_left_out_of_an_interval() -> None:
    report = PairReport.of([(), ("b",)], [[()], [("a",)]])
    assert (report.symbol_error_rate, report.symbol_interval) == (1.0, (1.0, 1.0))


def test_an_interval_holds_the_rate_and_narrows_with_the_square_root() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for N in (100, 10_000):
        wrong = (rng.random(N) < 0.2).astype(float)
        low, high = interval(wrong, np.ones(N))
        assert low < wrong.mean() < high
        widths.append(high - low)
        assert widths[-1] == pytest.approx(2 * 1.96 * math.sqrt(0.16 / N), rel=0.2)
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.3)


def test_an_interval_is_a_function_of_its_seed() -> None:
    wrong = (np.arange(50) % 3 == 0).astype(float)
    assert interval(wrong, np.ones(50), 1) == interval(wrong, np.ones(50), 1)
    assert interval(wrong, np.ones(50), 1) != interval(wrong, np.ones(50), 2)


@pytest.mark.parametrize("chunk", [1, 500, 10**9])
def test_how_many_samples_are_drawn_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    wrong = (np.arange(50) % 3 == 0).astype(float)
    whole = interval(wrong, np.ones(50), 1)
    monkeypatch.setattr("gatework.pairs.metrics.CHUNK", chunk)
    assert interval(wrong, np.ones(50), 1) == whole


def test_a_rate_weighs_sources_by_their_symbols() -> None:
    low, high = interval(np.array([0.0, 10.0]), np.array([90.0, 10.0]))
    assert (low, high) == (0.0, 1.0)
    assert judge([(), tuple("aaa")], [[("a",)], [tuple("aaa")]]).symbol_error_rate == 0.25
