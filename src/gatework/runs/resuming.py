"""Going on with a run: what is changed of the options that it was begun with, and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gatework.training.events import Event, Notice, Report, Resumed

ENDS = ("steps", "epochs", "minutes")


@dataclass(frozen=True)
class Changes:
    """Options to change.

    values: by name. further: minutes from now on. ends: whether another number of steps or epochs takes the place of
    every end that was set before.
    """

    values: Mapping[str, Any]
    further: float | None
    ends: bool


def changes_of(named: Mapping[str, Any], begun: object) -> Changes:
    """What was named of the options that a run was begun with."""
    values = dict(named)
    further = values.pop("minutes", None)
    ends = any(values.get(name) not in (None, getattr(begun, name)) for name in ENDS[:2])
    return Changes(dict.fromkeys(ENDS) | values if ends else values, further, ends)


def announcing(report: Report, changes: Changes, amend: Callable[[], None]) -> Report:
    """The report, which writes the changes into the run once it goes on, and says which schedule it follows."""

    def heard(event: Event) -> None:
        if isinstance(event, Resumed) and changes.values:
            amend()
        report(event)
        if isinstance(event, Resumed) and changes.ends:
            report(Notice(f"the learning rate follows a schedule of {event.total:,} steps from here on"))

    return heard
