"""Engines: what executes a Program over a sequence. Nothing above this room knows which one ran.

Each is a function `run(Arguments(program, params, x, state, ...)) -> (output, final state, recorded values)`; `choose`
says which runs where.
"""

from gatework.engines.arguments import Arguments, Results, Run, RunStack, Stack
from gatework.engines.cache import Cache
from gatework.engines.choose import ENGINES, Choice, choose, may_stack, prepare, runs
from gatework.engines.eager import is_eager
from gatework.engines.native import lacking
from gatework.engines.native.operators import Ready, run_at_once
from gatework.engines.native.stream import Stepper
from gatework.lowering.call import Frozen

__all__ = [
    "ENGINES",
    "Arguments",
    "Cache",
    "Choice",
    "Frozen",
    "Ready",
    "Results",
    "Run",
    "RunStack",
    "Stack",
    "Stepper",
    "choose",
    "is_eager",
    "lacking",
    "may_stack",
    "prepare",
    "run_at_once",
    "runs",
]
