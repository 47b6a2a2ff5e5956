"""Ctrl-C and the signals that end a process, as a request that the loop can read, or as an exception that undoes."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from gatework.training.torchrun import under_torchrun

_ENDING = ("SIGTERM", "SIGHUP")  # a request from outside, a terminal that is gone (which Windows knows nothing of)


class Interrupted(Exception):  # noqa: N818, it is no error
    """A signal to one of several processes ended all of them, in order, before there was a run to go on with."""


def _signals(*names: str) -> list[signal.Signals]:
    """Those that there are, and a hang-up only where it is heard: nohup has it ignored."""
    there = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [each for each in there if each.name != "SIGHUP" or signal.getsignal(each) is not signal.SIG_IGN]


@contextmanager
def _handled(names: tuple[str, ...], handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Give signals to a handler, and the former ones back at the end; outside the main thread Python allows none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler set from outside Python reads as None and cannot be given back to signal.signal.
    former = {number: signal.signal(number, handler) or signal.SIG_DFL for number in _signals(*names)}
    try:
        yield
    finally:
        for number, each in former.items():
            signal.signal(number, each)


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a flag, which the yielded function reads; the second aborts.

    Outside the main thread, where Python allows no handlers, the flag is never set.
    """
    asked = threading.Event()
    # torchrun hands the terminal's Ctrl-C on to its workers, who have it already: that is no second request.
    handed_on = under_torchrun()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set() and not handed_on:
            raise KeyboardInterrupt
        asked.set()

    with _handled(("SIGINT", *_ENDING), ask):
        yield asked.is_set


@contextmanager
def termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does, so that whatever was begun is undone."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(_ENDING, end):
        yield
