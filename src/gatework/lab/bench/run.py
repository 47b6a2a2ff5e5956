"""Running rows: one contest after another, with an event as each begins and ends."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from gatework.errors import InputError
from gatework.lab.bench.measure import Contest, Measurement, measure
from gatework.lab.bench.rows import Row
from gatework.lab.bench.settings import Settings


@dataclass(frozen=True)
class Begun:
    """A contest begins, the `number`th of `total`."""

    row: str
    contest: Contest
    number: int
    total: int


@dataclass(frozen=True)
class Skipped:
    """Something of a row could not be measured, and why."""

    row: str
    reason: str


def run(rows: Iterable[Row], settings: Settings) -> Iterator[Begun | Measurement | Skipped]:
    """Measures the rows; what cannot be measured is skipped, said once for each reason."""
    planned = [(row, row.contests(settings)) for row in rows]
    total, number = sum(len(contests) for _, contests in planned), 0
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        for row, contests in planned:
            if not contests:
                yield Skipped(row.name, "no shape or cell that was chosen belongs to it")
            budget = replace(settings.budget, rounds=min(row.rounds, settings.budget.rounds))
            reasons: set[str] = set()
            for contest in contests:
                number += 1
                yield Begun(row.name, contest, number, total)
                try:
                    yield measure(row.name, row.figure, contest, budget)
                except InputError as error:
                    if str(error) not in reasons:
                        yield Skipped(row.name, str(error))
                    reasons.add(str(error))
    finally:
        torch.set_num_threads(before)
