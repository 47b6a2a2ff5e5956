"""The reverse direction: what the core runs as it lies is what it runs on sequences that were turned."""

from dataclasses import replace

import pytest
import torch

from gatework.cells import cells
from gatework.engines import Arguments, Results, native
from gatework.engines.reverse_direction import run_reversed
from gatework.verify.problems import Case, answer, draw
from numerics import all_same

SIZES = [(1, 2), (2, 3), (9, 4)]
BOUNDARIES = [{"lengths": lengths, "resets": resets} for lengths in (False, True) for resets in (False, True)]


def reverse(arguments: Arguments) -> Results:
    return native.run(replace(arguments, reverse=True))


def turned(arguments: Arguments) -> Results:
    return run_reversed(native.run, replace(arguments, reverse=True))


def recomputed(arguments: Arguments) -> Results:
    return reverse(replace(arguments, recompute=True))


def gathered(arguments: Arguments) -> Results:
    return turned(replace(arguments, recompute=True))


@pytest.mark.parametrize("dtype", native.DTYPES, ids=str)
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("boundaries", BOUNDARIES, ids=lambda given: " and ".join(k for k, v in given.items() if v))
@pytest.mark.parametrize("name", cells)
def test_every_cell_runs_in_reverse(name, boundaries, extras, dtype):
    for T, B in SIZES:
        problem = draw(cells[name], Case(T, B, 5, 6, 4, extras=extras, **boundaries)).to(dtype)
        all_same(answer(reverse, problem), answer(turned, problem))


@pytest.mark.parametrize("boundaries", BOUNDARIES, ids=lambda given: " and ".join(k for k, v in given.items() if v))
@pytest.mark.parametrize("name", ["lstm", "gru", "slstm", "layer_norm_lstm"])
def test_pieces_are_recomputed_in_reverse(name, boundaries):
    problem = draw(cells[name], Case(550, 2, 3, 4, 2, **boundaries)).to(torch.float32)  # of 512 rows at least
    all_same(answer(recomputed, problem), answer(gathered, problem))
