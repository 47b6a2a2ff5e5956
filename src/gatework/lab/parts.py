"""Pairs of source and target in the parts of a study: to learn from, to choose by, to test."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Symbols = tuple[str, ...]
Pairs = dict[Symbols, list[Symbols]]  # the accepted targets of each source, in order of appearance
Thing = TypeVar("Thing")

VALIDATION = TEST = 20  # one of so many


@dataclass(frozen=True)
class Parts:
    """beyond: sources longer than any that is learnt from."""

    training: Pairs
    validation: Pairs
    test: Pairs
    beyond: Pairs = field(default_factory=dict)


def add(found: Pairs, source: Symbols, target: Symbols) -> None:
    """One more accepted target of a source, unless it is one already."""
    accepted = found.setdefault(source, [])
    if target not in accepted:
        accepted.append(target)


def parted(found: Pairs, rng: random.Random) -> Parts:
    """The sources in three parts, so that none stands in two."""
    training, validation, test = shares(sorted(found), rng)
    return Parts(*({source: found[source] for source in part} for part in (training, validation, test)))


def shares(things: Sequence[Thing], rng: random.Random) -> tuple[list[Thing], list[Thing], list[Thing]]:
    """Things in random order: those to learn from, to choose by (one of 20) and to test (one of 20)."""
    drawn = rng.sample(things, len(things))
    first, second = len(drawn) // VALIDATION, len(drawn) // TEST
    return drawn[first + second :], drawn[:first], drawn[first : first + second]
