"""How far work in several parts has come: what each part is called, how much of it is done, how much there is."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
PartProgress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, total: int) -> None:
    """Shows nothing."""


def counted(items: Iterable[Item], total: int, progress: Callable[[int, int], None]) -> Iterator[Item]:
    """The items; `progress` receives the number done and the total, at first 0."""
    progress(0, total)
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total)
