"""What torchrun tells this process in its environment: read without torch."""

import os

from gatework.errors import InputError


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def place() -> tuple[int, int, int]:
    """This process's rank, its rank on this machine, and the number of processes: 0, 0 and 1 without torchrun."""
    if not under_torchrun():
        return 0, 0, 1
    return int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"]), int(os.environ["WORLD_SIZE"])


def first_process() -> bool:
    """Whether this is the process that writes: the only one, or torchrun's first."""
    return place()[0] == 0


def one_process(what: str) -> None:
    """Raises InputError where torchrun started several processes for what one does."""
    world = place()[2]
    if world > 1:
        raise InputError(f"{world} processes: {what} by one")
