"""The exit status of a command that a signal ended."""

from gatework.training.torchrun import under_torchrun

INTERRUPTED = 130  # what Ctrl-C makes of a command


def stopped() -> int:
    """The exit status of a training that a signal stopped in order.

    torchrun takes every status but 0 for a crash, with a traceback of its own: its processes end with 0.
    """
    return 0 if under_torchrun() else INTERRUPTED
