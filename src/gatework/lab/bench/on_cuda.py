"""The comparisons on a GPU: engines against cuDNN, a cell against the loop that one writes, cells against our LSTM.

With device="cpu" they run too, the first in float32: so they are tested where no GPU is.
"""

from dataclasses import replace
from functools import partial
from itertools import product

import torch
from torch import nn

from gatework.cells import cells
from gatework.errors import InputError
from gatework.lab.bench import contests
from gatework.lab.bench.contests import Contests, Prepare, sides
from gatework.lab.bench.measure import Contest, Shape, Side
from gatework.lab.bench.settings import Settings
from gatework.lab.bench.work import draw, step_of, work
from gatework.layers import LSTM

HALF = (torch.float16, torch.bfloat16)
GRID = tuple(Shape(T, B, H, H) for H, B, T in product((64, 128, 256, 512, 1024, 2048), (1, 8, 64, 256), (100, 1000)))
QUICK_GRID = (Shape(100, 1, 128, 128), Shape(100, 64, 128, 128), Shape(100, 64, 1024, 1024))
FEW = 64  # sequences up to which a loop of torch's operations waits for the host


def _grid(settings: Settings, most_units: int, most_sequences: int) -> tuple[Shape, ...]:
    """The shapes that were asked for, or those of the grid up to so many units and sequences."""
    shapes = QUICK_GRID if settings.quick else GRID
    return settings.shapes or tuple(s for s in shapes if most_units >= s.H and most_sequences >= s.B)


def _contests(
    cell: str, prepare: Prepare, settings: Settings, *, most_units: int = 2048, most_sequences: int = 256
) -> list[Contest]:
    """Contests of training steps of one cell over the grid."""
    return [
        Contest("", shape, partial(_fitting, prepare, shape, settings), work(cells[cell], shape, train=True))
        for shape in _grid(settings, most_units, most_sequences)
    ]


def _fitting(prepare: Prepare, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """Both sides; InputError where the device's memory does not hold them."""
    try:
        return prepare(shape, settings)
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise InputError("some shapes do not fit into the device's memory") from error


def against_cudnn(engine: str, most_units: int) -> Contests:
    """The LSTM by an engine and torch.nn.LSTM with the same weights, inference and training, up to so many units."""

    def made(settings: Settings) -> list[Contest]:
        return [
            replace(
                contest,
                variant=f"{str(dtype).removeprefix('torch.')} {'training' if train else 'inference'}",
                work=work(cells["lstm"], contest.shape, train),
            )
            for dtype in (HALF if settings.device == "cuda" else (torch.float32,))
            for train in (False, True)
            for contest in _contests(
                "lstm", partial(_against_cudnn, engine, dtype, train), settings, most_units=most_units
            )
        ]

    return made


def _against_cudnn(engine: str, dtype: torch.dtype, train: bool, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    theirs = nn.LSTM(shape.I, shape.H, shape.L, device=settings.device, dtype=dtype)
    ours, x = LSTM.from_torch(theirs, engine=engine), draw(shape, device=settings.device, dtype=dtype)
    return sides(step_of(ours, x, train), step_of(theirs, x, train), settings)


def against_loop(compiled: bool, most_sequences: int) -> Contests:
    """The training step of a peephole LSTM and of a loop of torch's operations, up to so many sequences."""
    prepare = partial(contests.against_loop, compiled)
    return partial(_contests, "peephole_lstm", prepare, most_sequences=most_sequences)


def against_lstm(settings: Settings) -> list[Contest]:
    """Training steps of every cell and of the LSTM, each by its multiply-adds, on the engine that runs them all."""
    settings = replace(settings, engine="triton") if settings.device == "cuda" else settings
    return [
        _with_lstm(name, shape, settings) for name in settings.cells or cells for shape in _grid(settings, 2048, 256)
    ]


def _with_lstm(name: str, given: Shape, settings: Settings) -> Contest:
    variant, shape = contests.as_wide_as(name, given)
    floors = [work(cells[cell], shape, train=True) for cell in (name, "lstm")]
    prepare = partial(contests.cell_against_lstm, name)
    return Contest(variant, given, partial(_fitting, prepare, shape, settings), floors[0], *floors)
