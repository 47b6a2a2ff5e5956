"""Which of the core's instruction sets runs: the widest, unless GATEWORK_ISA names another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gatework.core import _native
from gatework.errors import InputError

VARIABLE = "GATEWORK_ISA"


def available() -> tuple[str, ...]:
    """Those that this machine has, the widest first."""
    return tuple(_native.isas())


def check() -> None:
    """Raises InputError where GATEWORK_ISA names an instruction set that this machine has not."""
    try:
        _native.isa()
    except ValueError as error:
        raise InputError(str(error)) from error


@contextmanager
def using(isa: str) -> Iterator[None]:
    """Has the core run with one of them."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = isa
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
