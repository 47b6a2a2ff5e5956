"""The time of a run, told by a clock that the tests set."""

import pytest

from gatework.training.clock import Clock
from gatework.training.progress import Progress
from gatework.training.settings import Settings


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def measured(seconds: list[float], **settings: object) -> tuple[Clock, Hands]:
    """A clock that has seen steps of so many seconds each."""
    hands = Hands()
    clock = Clock(Settings(**({"steps": 100} | settings)), Progress(), hands)  # type: ignore[arg-type]
    for each in seconds:
        hands.now += each
        clock.measure(steps=1, tokens=10)
    return clock, hands


@pytest.mark.parametrize(
    ("seconds", "step"),
    [([9, 9, 9, 1, 2], 1.5), ([9, 9, 9, 2], 2), ([9, 3, 9], 9), ([], 0), ([9, 9, 9, *[1] * 50], 1)],
)
def test_the_first_steps_of_a_process_do_not_count_where_there_are_others(seconds: list[float], step: float) -> None:
    clock, _ = measured(seconds)
    assert clock.step_seconds == step


@pytest.mark.parametrize(
    ("step", "total", "every", "left"),
    [
        (0, 100, None, 100 * 2),
        (0, 100, 40, 100 * 2 + 3 * 30),  # after 40, 80 and 100
        (40, 100, 40, 60 * 2 + 2 * 30),
        (99, 100, 40, 2 + 30),
        (0, 80, 40, 80 * 2 + 2 * 30),
        (100, 100, 40, 0),
        (0, 100, 1, 100 * 2 + 100 * 30),
    ],
)
def test_the_time_left_counts_the_evaluations_that_are_to_come(
    step: int, total: int, every: int | None, left: float
) -> None:
    clock, _ = measured([9, 9, 9, 2, 2])
    assert clock.left(Progress(step=step, evaluation_seconds=30), total, every) == left


def test_a_part_that_time_ends_is_evaluated_once_more() -> None:
    clock, hands = measured([9, 9, 9, 2, 2], steps=None, epochs=None, minutes=1)
    assert clock.left(Progress(evaluation_seconds=7), None, 50) == 60 - 31 + 7
    assert clock.left(Progress(evaluation_seconds=7), None) == 60 - 31
    assert clock.left(Progress(step=98, evaluation_seconds=7), 100, 50) == 2 * 2 + 7, "the steps end before"
    hands.now += 100
    assert clock.left(Progress(evaluation_seconds=7), None, 50) == 7
    assert measured([], steps=10)[0].left(Progress(), 10) is None
