"""The batches of a session by number, on a GPU the next one sent while the device computes."""

from collections.abc import Callable
from typing import Any, Protocol

Batch = tuple[Any, Any]


class Batches(Protocol):
    """Batches of one epoch, each continuing the one before; read by number, so that a run resumes in the middle.

    If there is a method `set_epoch(epoch)`, it is called before an epoch's first batch is read (and on resuming):
    a place to shuffle, as a function of the epoch alone.
    """

    def __len__(self) -> int:
        """Batches in an epoch."""

    def __getitem__(self, index: int, /) -> tuple[Any, Any]:
        """Inputs and targets of batch `index`."""


class Feed:
    """Reads the batches that a step needs, and one more ahead where there is a device to send it to.

    The numbers and their order are those without it: a batch is a function of the epoch and its number, and nothing
    is read ahead over an epoch's end.

    Args:
        batches: of one epoch, read by number.
        send: what puts a batch on the device without waiting for it, None for nothing ahead.
    """

    def __init__(self, batches: Batches, send: Callable[[Any], Any] | None = None) -> None:
        self._batches, self._send = batches, send
        self._ahead: dict[int, Batch] = {}  # at most one

    def open_epoch(self, epoch: int) -> None:
        """Let the data shuffle: what was read ahead was of another order."""
        self._ahead.clear()
        if (set_epoch := getattr(self._batches, "set_epoch", None)) is not None:
            set_epoch(epoch)

    def read(self, start: int, end: int) -> list[Batch]:
        """The batches `start` to `end`, the last one left out."""
        return [self._ahead.pop(index) if index in self._ahead else self._batches[index] for index in range(start, end)]

    def read_ahead(self, index: int) -> None:
        """Send the batch that the next step begins with, unless the epoch is over."""
        if self._send is not None and index < len(self._batches):
            self._ahead[index] = self._send(self._batches[index])
