"""Ctrl-C and SIGTERM as a wish that the loop can see, instead of an exception anywhere."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from gatework.training.processes import under_torchrun

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a flag, which the yielded function reads; the second aborts at once.

    The former handlers come back at the end. Outside the main thread, where Python allows no handlers, the flag
    is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    # torchrun hands the terminal's Ctrl-C on to its workers, who have it already: no second wish can be told apart.
    handed_on = under_torchrun()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set() and not handed_on:
            raise KeyboardInterrupt
        asked.set()

    # A handler set from outside Python reads as None and cannot be given back to signal.signal.
    former = {number: signal.signal(number, ask) or signal.SIG_DFL for number in _SIGNALS}
    try:
        yield asked.is_set
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
