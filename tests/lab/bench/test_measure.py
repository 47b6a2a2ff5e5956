from collections.abc import Callable

import pytest

from gatework.errors import InputError
from gatework.lab.bench.measure import (
    FIGURES,
    Budget,
    Contest,
    Measurement,
    Shape,
    Spread,
    geometric_mean,
    interleave,
    measure,
    timed,
)

SHAPE = Shape(2, 3, 4, 5)


def ticking(step: float) -> Callable[[], float]:
    """A clock that goes on by `step` seconds each time it is looked at."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    return clock


def contest(ours: float = 1.0, theirs: float = 1.0, **options: object) -> Contest:
    return Contest("", SHAPE, lambda: (lambda: ours, lambda: theirs), **options)


def test_half_and_double_make_one():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert geometric_mean([3.0]) == pytest.approx(3.0)
    assert geometric_mean(iter([1.0, 10.0, 100.0])) == pytest.approx(10.0)


def test_theirs_and_ours_run_in_turn():
    calls: list[str] = []
    pairs = interleave(
        lambda: calls.append("ours") or 1.0, lambda: calls.append("theirs") or 2.0, Budget(3, 0.0, 0.0), ticking(0.0)
    )
    assert calls == ["theirs", "ours"] * 3
    assert pairs == [(1.0, 2.0)] * 3


@pytest.mark.parametrize(("budget", "rounds"), [(Budget(4, 0.0, 0.0), 4), (Budget(1, 5.0, 0.0), 5)])
def test_rounds_go_on_until_both_their_number_and_the_time_are_reached(budget: Budget, rounds: int):
    assert len(interleave(lambda: 1.0, lambda: 1.0, budget, ticking(1.0))) == rounds


def test_a_side_repeats_its_step_for_a_block_and_returns_the_seconds_of_one():
    seconds, calls = 0.0, 0

    def step() -> None:
        nonlocal seconds, calls
        seconds, calls = seconds + 2.0, calls + 1

    side = timed(step, block=9.0, clock=lambda: seconds)
    assert calls == 2  # it warmed up and was timed once
    assert side() == 2.0
    assert calls == 2 + 5
    assert side() == 2.0
    assert calls == 2 + 5 + 5


def test_a_step_longer_than_a_block_runs_once_a_round():
    calls: list[int] = []
    side = timed(lambda: calls.append(0), block=0.5, clock=ticking(1.0))
    assert (side(), len(calls)) == (1.0, 3)


def test_speed_and_cost_compare_over_the_floors_and_excess_by_the_difference():
    half = contest(floor=0.5, their_floor=1.0)
    assert FIGURES["speed"](half, 2.0, 8.0) == pytest.approx(2.0)
    assert FIGURES["cost"](half, 2.0, 8.0) == pytest.approx(0.5)
    assert FIGURES["excess"](half, 2.0, 8.0) == pytest.approx(-6.0)


def test_the_figure_is_found_in_each_round_by_itself():
    ours, theirs = iter([1.0, 2.0, 10.0]), iter([3.0, 4.0, 20.0])
    found = measure(
        "row", "speed", Contest("v", SHAPE, lambda: (lambda: next(ours), lambda: next(theirs))), Budget(3, 0.0, 0.0)
    )
    assert (found.row, found.variant, found.shape, found.rounds) == ("row", "v", SHAPE, 3)
    assert found.figure == Spread(2.0, 2.0, 2.5)  # of the ratios 3, 2, 2
    assert found.ours.median == 2.0 and found.theirs.median == 4.0


def test_a_spread_is_the_quartiles():
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(2.0, 3.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


@pytest.mark.parametrize("text", ["100,64,128,256", "1,1,1,1", "5,2,3,4,2"])
def test_a_shape_reads_as_it_is_written(text: str):
    assert str(Shape.parse(text)) == text


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5,6", "1,2,3,x", "1,2,3,0", "1,2,3,-4", "1.5,2,3,4"])
def test_what_is_no_shape_is_refused(text: str):
    with pytest.raises(InputError, match=f"^shape '{text}': expected T,B,I,H or T,B,I,H,L, .* such as 100,64,128,256$"):
        Shape.parse(text)


def test_a_measurement_survives_json():
    found = measure("row", "cost", contest(ours=2.0, theirs=3.0, work=7, floor=0.25), Budget(2, 0.0, 0.0))
    assert Measurement.from_dict(found.to_dict()) == found
