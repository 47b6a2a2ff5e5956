"""What is decided about a series before anything is learned: its scale, its seasons, its base forecast."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from gatework.forecast.base import (
    ZEROS,
    Base,
    Numbers,
    Scored,
    base_from_json,
    candidates,
    filled,
    first_scored,
    mean_error,
    rolling_check,
)
from gatework.forecast.options import Season, lengths
from gatework.forecast.seasons import seasons_of
from gatework.runs.arguments import flag, real, whole

CLOSE = 1.25  # the runner-up is averaged with the best simple forecast if it errs at most so many times as much
TOGETHER = 500_000  # steps times horizon of the series that are planned at once
WORSE = 1.5  # a simple forecast that errs so many times more than the best one is no help to it


@dataclass(frozen=True)
class Plan:
    """The choices for one series; every field is a JSON value but the bases.

    log: its logarithm is forecast. floor: no forecast lies below, None for none. season, second: seasons that features
    look back by, 1 for none. base: the simple forecasts whose average the network corrects. others: those it reads
    too, by place. scores: the mean absolute error of each in the rolling check, that of the seasonal naive of `season`
    (the last value where there is none) being 1. bounded: whether quantiles are kept to what the past can bear;
    those of runs saved before there were limits are not.
    """

    log: bool
    floor: float | None
    season: int
    second: int
    base: tuple[Base, ...]
    others: tuple[Base | None, ...]
    scores: dict[str, float]
    bounded: bool = False

    @property
    def score(self) -> float:
        """What the base forecast scores alone."""
        return self.scores[self.base_name]

    @property
    def base_name(self) -> str:
        return _name_of(self.base)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def other_names(self) -> list[str]:
        """What the simple forecasts that the network reads are called, by place."""
        return [str(base) if base else "not used" for base in self.others]

    @property
    def longest(self) -> int:
        """The longest season that it looks back by."""
        bases = (*self.base, *(base for base in self.others if base is not None))
        return max(self.season, self.second, *(max(base.season, base.second) for base in bases))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Plan":
        """What `to_json` gave; raises ValueError and others for anything else."""
        others = tuple(None if base is None else base_from_json(base) for base in values["others"])
        made = cls(**{**values, "base": tuple(map(base_from_json, values["base"])), "others": others})
        for name in ("log", "bounded"):
            flag(name, getattr(made, name))
        for name in ("season", "second"):
            whole(name, getattr(made, name), least=1)
        numbers = [*made.scores.values(), *([] if made.floor is None else [made.floor])]
        if len(others) != PLACES or not 1 <= len(made.base) <= 2 or None in map(real, numbers):
            raise ValueError(f"a series has {len(made.base)} simple forecasts and {len(others)} others")
        if made.base_name not in made.scores:
            raise ValueError(f"{made.base_name} was not scored")
        return made


def _no_progress(done: int, total: int) -> None:
    """Shows nothing."""


def plan(y: Numbers, h: int, season: Season, usual: Sequence[int] = ()) -> Plan:
    """Decides for a series y [T], NaN where missing.

    season: its length in steps (1 for none), several, or "auto" to try those detected in the series and the usual ones.
    """
    (made,) = plans([y], h, season, usual)
    return made


def plans(
    values: Sequence[Numbers],
    h: int,
    season: Season,
    usual: Sequence[int] = (),
    progress: Callable[[int, int], None] = _no_progress,
) -> list[Plan]:
    """`plan` of many series, those of one length together; progress receives how many are done, and of how many."""
    made: dict[int, Plan] = {}
    progress(0, len(values))
    for rows in _of_one_length(values, h):
        logs = [swings_grow(values[row]) for row in rows]
        v = np.stack([np.log(values[row]) if log else values[row] for row, log in zip(rows, logs, strict=True)])
        seasons = seasons_of(v, usual) if season == "auto" else [(lengths(season),) * 2] * len(rows)
        kinds = [(tried, intermittent(values[row])) for row, (tried, _) in zip(rows, seasons, strict=True)]
        for kind in dict.fromkeys(kinds):
            places = [place for place, each in enumerate(kinds) if each == kind]
            tried, rare = kind
            z = np.stack([filled(v[place], tried[0] if tried else 1) for place in places])
            ranked = rolling_check(v[places], z, h, candidates(v.shape[1], tried, intermittent=rare))
            for place, judged in zip(places, ranked, strict=True):
                made[rows[place]] = _decided(values[rows[place]], v[place], logs[place], judged, seasons[place][1])
        progress(len(made), len(values))
    return [made[row] for row in range(len(values))]


def _of_one_length(values: Sequence[Numbers], h: int) -> Iterator[list[int]]:
    """The numbers of series that are as long as each other, as many together as memory allows."""
    by_length: dict[int, list[int]] = {}
    for row, y in enumerate(values):
        by_length.setdefault(len(y), []).append(row)
    for T, rows in by_length.items():
        most = max(1, TOGETHER // (T * h))
        yield from (rows[begin : begin + most] for begin in range(0, len(rows), most))


def _decided(y: Numbers, v: Numbers, log: bool, judged: Sequence[Scored], seasons: Sequence[int]) -> Plan:
    """The plan of a series y [T], of which v is forecast, from the simple forecasts in order and detected seasons."""
    ranked = [(each.score, each.base) for each in judged]
    base = _chosen_base(ranked)
    used = {*seasons, *(each.season for each in base)}
    seasonal = list(dict.fromkeys(each.season for _, each in ranked if each.season > 1 and each.season in used))
    first, second = [*seasonal, 1, 1][:2]
    naive = next(
        score for score, each in ranked if each.season == first and each.kind in ("seasonal naive", "last value")
    )
    naive = naive or 1.0
    scored: list[tuple[float, tuple[Base, ...]]] = [(score, (each,)) for score, each in ranked]
    if len(base) > 1:
        mean = np.mean([each.forecast() for each in judged if each.base in base], axis=0)
        scored.insert(0, (float(mean_error(v, mean, first_scored([each for _, each in ranked], len(v)))), base))
    return Plan(
        log=log,
        floor=0.0 if never_negative(y) else None,
        season=first,
        second=second,
        base=base,
        others=_places(ranked, first, second),
        scores={_name_of(bases): score / naive for score, bases in scored},
        bounded=True,
    )


def _chosen_base(ranked: Sequence[tuple[float, Base]]) -> tuple[Base, ...]:
    """The best simple forecast, with the next best of another family where that is close.

    An average errs less (Bates & Granger 1969), the more so the less alike two err. A median stands alone: where values
    are mostly 0, all others are means, which lie above it.
    """
    least, best = ranked[0]
    if best.kind == "median":
        return (best,)
    beside = (each for score, each in ranked if each.family != best.family and score <= CLOSE * least)
    return (best, *islice(beside, 1))


def _name_of(bases: Sequence[Base]) -> str:
    return str(bases[0]) if len(bases) == 1 else f"the average of {bases[0]} and {bases[1]}"


def _places(ranked: Sequence[tuple[float, Base]], first: int, second: int) -> tuple[Base | None, ...]:
    """The simple forecasts worth knowing of, each kind at a place of its own; None for one that errs far more."""
    wanted = [("last value", 1), ("mean", 1), ("drift", 1), ("smoothing", 1)]
    wanted += [(kind, first) for kind in ("seasonal naive", "seasonal naive with drift", "smoothing") if first > 1]
    wanted += [(kind, second) for kind in ("seasonal naive", "smoothing") if second > 1]
    good: dict[tuple[str, int], Base] = {
        (each.kind, each.season): each for score, each in ranked if each.second == 1 and score <= WORSE * ranked[0][0]
    }
    bases = [good.get(key) for key in wanted]
    return (*bases, *[None] * (PLACES - len(bases)))


PLACES = 9  # of `_places`


def swings_grow(y: Numbers, length: int = 12) -> bool:
    """Whether a positive series moves more where it stands higher, so that its logarithm moves evenly.

    Over stretches of `length` steps, the logarithm of the mean step is regressed on that of the mean level: a slope
    above 1/2 says so, where the levels differ by a half at least and the slope is not by chance.
    """
    known = y[~np.isnan(y)]
    if len(known) < 4 * length or known.min() <= 0:
        return False
    parts = known[len(known) % length :].reshape(-1, length)  # [P,length]
    levels, swings = parts.mean(1), np.abs(np.diff(parts, axis=1)).mean(1)
    if levels.max() < 1.5 * levels.min() or swings.min() <= 0:
        return False
    x, d = np.log(levels), np.log(swings)
    x, d = x - x.mean(), d - d.mean()
    slope = (x @ d) / (x @ x)
    deviation = np.sqrt(((d - slope * x) ** 2).sum() / max(1, len(x) - 2) / (x @ x))
    return bool(slope > 0.5 and slope > 2 * deviation)


def intermittent(y: Numbers) -> bool:
    """Whether a series is one of demand that often does not come: ZEROS of its values are 0, and none is below."""
    known = y[~np.isnan(y)]
    return bool(known.min() >= 0 and (known == 0).mean() >= ZEROS)


def never_negative(y: Numbers) -> bool:
    """Whether a series counts things or measures amounts: nothing below 0, and zeros or whole numbers alone."""
    known = y[~np.isnan(y)]
    return bool(known.min() >= 0 and ((known == 0).any() or (known == np.round(known)).all()))
