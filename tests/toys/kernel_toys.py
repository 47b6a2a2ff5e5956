"""Problems for kernels that Triton interprets, and how what they compute is compared with the reference engine."""

from dataclasses import replace
from typing import Any

import torch

from gatework.cells import Cell
from gatework.engines import reference
from gatework.engines.triton import run_untried
from gatework.verify.problems import Case, answer, draw
from numerics import all_same

PLAIN = Case(3, 3, 5, 5, 2)
ENDS = Case(3, 3, 4, 5, 2, lengths=True, resets=True)
EXTRAS = Case(2, 3, 4, 5, 2, lengths=True, extras=True)


def check(cell: Cell, case: Case, **options: Any) -> None:
    """Output, states, recorded values and all gradients, of numbers that float32 holds."""
    problem = draw(cell, case, torch.float32)
    expected = answer(lambda arguments: reference.run(replace(arguments, **options)), problem)
    actual = answer(lambda arguments: run_untried(replace(arguments, **options)), problem.to(torch.float32))
    all_same(actual, expected)
