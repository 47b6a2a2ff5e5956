"""The core's numbering, as the compiled module says it: operations, what stores do, layouts and elements of buffers."""

import re
from collections.abc import Sequence

from gatework.core import _native
from gatework.errors import InputError
from gatework.notation import Program
from gatework.notation.ops import OPS

CODES, ROWS, MODES, LAYOUTS, ELEMENTS = (
    _native.codes()[kind] for kind in ("pointwise", "rows", "modes", "kinds", "elements")
)
MAGIC = _native.MAGIC

CALLED = re.compile(r"(\w+)\(")  # a function in a derivative


def lacking(program: Program) -> tuple[str, ...]:
    """The operations of a Program and of its backward pass that the core has not."""
    own = {node.op for node in program.nodes} & OPS.keys()
    needed = own.union(*(CALLED.findall(derivative) for op in own for derivative in OPS[op].derivative))
    return tuple(sorted(needed - CODES.keys() - ROWS.keys()))


def without(lacks: Sequence[str]) -> str:
    """What the core lacks."""
    return f"has no operation {', '.join(lacks)}"


def check_operations(lacks: Sequence[str]) -> None:
    """Raises InputError for operations that the core lacks."""
    if lacks:
        raise InputError(f"engine='native' {without(lacks)}: use engine='reference'")
