"""Series too short to learn from, or constant: each is answered by a naive forecast."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

from gatework.forecast.base import Base, Numbers, base_from_json, filled
from gatework.forecast.calibration import caution
from gatework.forecast.checks import constant, enough
from gatework.forecast.data.panel import Panel, Series
from gatework.forecast.data.remarks import NAMED
from gatework.forecast.options import Season
from gatework.forecast.plan import Plan, never_negative
from gatework.forecast.rivals import normal

FEW = 3  # errors of its own that the width of a series' bands rests on, at least


@dataclass(frozen=True)
class Naive:
    """The naive forecast of a series, why it has one, and the deviation that its errors have at least."""

    base: Base
    why: Literal["short", "constant"]
    least: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; raises ValueError and others for anything else."""
        made = cls(base_from_json(values["base"]), values["why"], float(values.get("least", 0.0)))
        if made.why not in WHY or not made.least >= 0:
            raise ValueError(f"a series has a naive forecast as it is {made.why!r}")
        return made

    def quantiles(self, y: Numbers, h: int, probabilities: Sequence[float], unsteady: float) -> Numbers:
        """Quantiles [h,P] after y [T]: normal ones, with the deviation of the forecast's own errors.

        unsteady: the deviation over the size of a value, where there are too few errors to tell.
        """
        z, m = filled(y, self.base.season), self.base.season
        if self.base.kind == "mean":
            errors, growth = y - np.nanmean(y), np.ones(h)
        else:
            errors, growth = y[m:] - y[:-m], np.sqrt(-(-np.arange(1, h + 1) // m))
        errors = errors[~np.isnan(errors)]
        deviation = float(np.sqrt(np.mean(errors**2))) if len(errors) >= FEW else unsteady * float(np.abs(z).mean())
        deviation = max(deviation, self.least)
        spread = [
            caution(p, max(len(errors), FEW)) * n for p, n in zip(probabilities, normal(probabilities), strict=True)
        ]
        values = self.base.forecasts(z, h)[-1][:, None] + deviation * growth[:, None] * np.array(spread)
        return np.asarray(np.maximum(values, 0.0) if never_negative(y) else values)


def apart(panel: Panel, horizon: int, season: Season) -> tuple[list[Series], list[Series]]:
    """The series that can be learned from, and the others."""
    learned = [each for each in panel.series if enough(each, horizon, season) and not constant(each)]
    ids = {each.id for each in learned}
    return learned, [each for each in panel.series if each.id not in ids]


def naive(series: Series, season: int, horizon: int, asked_season: Season, unsteady: float) -> Naive:
    """The naive forecast that fits a series; season: that of the others; asked_season: the option.

    unsteady: by how much of its size a value of the others changes.
    """
    least = surprise(series.y, unsteady)
    if enough(series, horizon, asked_season):
        return Naive(Base("last value"), "constant", least)
    return Naive(fitting(series.y, season), "short", least)


def surprise(y: Numbers, unsteady: float) -> float:
    """The mean change to expect of y [T] though it never changed: one in T + 1 steps (Laplace's rule of succession).

    It changes by as much of its size, or of 1 where it is 0, as the others do.
    """
    known = np.abs(y[~np.isnan(y)])
    return unsteady * (float(known.mean()) or 1.0) / (len(known) + 1)


def fitting(y: Numbers, season: int) -> Base:
    """Seasonal naive where a whole season is there, else the last value or the mean, whichever has erred less."""
    if 1 < season <= len(y):
        return Base("seasonal naive", season)
    z = filled(y)
    steady = Base("mean").forecasts(z, 1)[:-1, 0]
    errs_less = len(z) > FEW and np.abs(z[1:] - steady).mean() < np.abs(np.diff(z)).mean()
    return Base("mean" if errs_less else "last value")


def usual_season(plans: Iterable[Plan]) -> int:
    """The season that most series have, 1 for none."""
    return Counter(each.season for each in plans).most_common(1)[0][0]


def unsteadiness(learned: Iterable[Series]) -> float:
    """How far a value lies from the one before, over the size of a value: the median over series."""
    shares = []
    for each in learned:
        z = filled(each.y)
        shares.append(float(np.sqrt(np.mean(np.diff(z) ** 2)) / np.abs(z).mean()))
    return float(np.median(shares))


def naive_notes(by_id: Mapping[str, Naive], total: int) -> list[str]:
    """What to say about the series that a naive forecast answers."""
    notes = []
    for why, words in WHY.items():
        some = {name: each.base for name, each in by_id.items() if each.why == why}
        if some:
            by = ", ".join(
                f"{base} ({count:,})" if len(set(some.values())) > 1 else str(base)
                for base, count in Counter(some.values()).most_common()
            )
            notes.append(f"{counted(some, total)} {words}: forecast by {by}")
    return notes


WHY = {"short": "too short to learn from", "constant": "constant"}


def counted(names: Iterable[str], total: int, one: str = "is", several: str = "are") -> str:
    """ "2 of 60 series ('a', 'b') are": how many, which, and the verb."""
    some = list(names)
    which = ", ".join(map(repr, some[:NAMED])) + (", ..." if len(some) > NAMED else "")
    return f"{len(some):,} of {total:,} series ({which}) {one if len(some) == 1 else several}"


def ended(panel: Panel, horizon: int) -> list[str]:
    """What to say about series that ended so early that all of their forecast lies before the others' end."""
    last = max(each.times[-1] for each in panel.series)
    steps = {each.id: int(panel.spacing.steps(each.times[-1], np.array([last]))[0]) for each in panel.series}
    early = [name for name, many in steps.items() if many > horizon]
    if not early:
        return []
    which = counted(early, len(panel) + len(panel.empty), "ends", "end")
    when = panel.spacing.show(last)
    return [f"{which} more than {horizon} steps before {when}: each is forecast from its own last value"]


def without_future(panel: Panel, lacking: Sequence[str]) -> list[str]:
    """What to say about series that ended before the future of the known columns begins."""
    if not lacking:
        return []
    known = ", ".join(panel.columns.known)
    which = counted(lacking, len(panel) + len(panel.empty))
    return [f"{which} without {known} for the steps ahead, having ended before the others: forecast naively"]
