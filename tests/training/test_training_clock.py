"""The time of a run, told by a clock that the tests set."""

import pytest

from gatework.training import Progress, Settings
from gatework.training.clock import Clock


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
