"""How each comparison is set up: which contests there are, and what ours and theirs run in each."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatework.cells import cells
from gatework.engines import choose
from gatework.lab.bench import memory
from gatework.lab.bench.floor import floor
from gatework.lab.bench.machine import bandwidth, ceiling
from gatework.lab.bench.measure import Contest, Shape, Side, timed
from gatework.lab.bench.rivals import bare_lstm, jax_peephole, onnx_layer, peephole_loop, peephole_weights
from gatework.lab.bench.settings import Settings
from gatework.lab.bench.work import Step, draw, inference, language_update, step_of, timed_by_events, training, work
from gatework.layers import GRU, LSTM, RNN, Recurrent
from gatework.layers.torch_layers import DropIn

Contests = Callable[[Settings], list[Contest]]
Prepare = Callable[[Shape, Settings], tuple[Side, Side]]  # ours first

DROP_IN: Mapping[str, type[DropIn[Any]]] = {"lstm": LSTM, "gru_reset_after": GRU, "rnn": RNN}
TORCH = {"lstm": nn.LSTM, "gru_reset_after": nn.GRU, "gru": nn.GRU, "rnn": nn.RNN}
CEILING_SECONDS = 0.1  # of the FMA loop, each round
STREAM_SHAPE = Shape(1000, 1, 128, 128)
STREAM_SHAPES = (STREAM_SHAPE, Shape(200, 1, 512, 512))
BANDWIDTH_SECONDS = 0.02  # of the reading loop, each round
BARE_SHAPES = (Shape(100, 1, 64, 128), Shape(1000, 1, 32, 32))
CALL_SHAPE = Shape(1, 1, 32, 32)
ONE_SEQUENCE, SHORT = Shape(1000, 1, 64, 64), Shape(8, 256, 128, 128)
CELL_SHAPE = Shape(25, 64, 128, 256)  # of quick runs
LEAST_SECONDS = 1e-3  # of the bare loop
LEAST_MEMORY = 8 * 2**20
LANGUAGE = Shape(64, 24, 64, 256)
GROWTH_FROM = Shape(100, 16, 128, 128)
GROWTH: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"T": (10, 30, 100, 300, 1000), "B": (1, 4, 16, 64, 256), "H": (16, 64, 256, 1024), "L": (1, 2, 4, 8)}
)


def over_grid(cell: str, train: bool, prepare: Prepare, *, variant: str = "", H: int = 1, B: int = 1) -> Contests:
    """Contests of one cell over the grid, from H units and B sequences on."""

    def contests(settings: Settings) -> list[Contest]:
        made = []
        for shape in settings.grid(H=H, B=B):
            amount = work(cells[cell], shape, train)
            made.append(Contest(variant, shape, partial(prepare, shape, settings), amount))
        return made

    return contests


def sides(ours: Step, theirs: Step, settings: Settings) -> tuple[Side, Side]:
    watched = timed_by_events if settings.device == "cuda" else timed
    return watched(ours, settings.budget.block), watched(theirs, settings.budget.block)


# -- against torch.nn


def against_torch(cell: str, train: bool, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """A layer as a user gets it, with the weights of torch's where the equations are the same."""
    theirs, x = TORCH[cell](shape.I, shape.H, shape.L), draw(shape)
    ours = (
        DROP_IN[cell].from_torch(theirs, engine=settings.engine)
        if cell in DROP_IN
        else Recurrent(cell, shape.I, shape.H, shape.L, engine=settings.engine)
    )
    return sides(step_of(ours, x, train), step_of(theirs, x, train), settings)


def gru_and_rnn(settings: Settings) -> list[Contest]:
    """The GRU as published has other equations than torch's, and as many multiply-adds."""
    return [
        contest
        for cell in ("gru_reset_after", "gru", "rnn")
        for contest in over_grid(cell, True, partial(against_torch, cell, True), variant=cell)(settings)
    ]


def calls(settings: Settings) -> list[Contest]:
    """A single step of a single sequence: what a call costs beside its arithmetic."""
    return [
        Contest(
            f"{cell} {'training' if train else 'inference'}",
            CALL_SHAPE,
            partial(against_torch, cell, train, CALL_SHAPE, settings),
        )
        for cell in ("lstm", "gru_reset_after")
        for train in (False, True)
    ]


def both_directions(settings: Settings) -> list[Contest]:
    """One sequence in both directions; and many short ones of unequal lengths, which torch takes packed."""
    return [
        Contest("inference", ONE_SEQUENCE, partial(_bidirectional, ONE_SEQUENCE, settings)),
        Contest("training with lengths", SHORT, partial(_of_lengths, SHORT, settings)),
    ]


def _bidirectional(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    theirs, x = nn.LSTM(shape.I, shape.H, bidirectional=True), draw(shape)
    ours = LSTM.from_torch(theirs, engine=settings.engine)
    return sides(inference(ours, x), inference(theirs, x), settings)


def _of_lengths(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """Training steps in both directions, of lengths from 3 to T."""
    theirs, x = nn.LSTM(shape.I, shape.H, bidirectional=True), draw(shape)
    ours, lengths = LSTM.from_torch(theirs, engine=settings.engine), 3 + torch.arange(shape.B) % (shape.T - 2)

    def packed(value: Tensor) -> Tensor:
        output, _ = theirs(pack_padded_sequence(value, lengths, enforce_sorted=False))
        return pad_packed_sequence(output)[0]

    return sides(
        training(lambda value: ours(value, lengths=lengths)[0], x, [*ours.parameters()]),
        training(packed, x, [*theirs.parameters()]),
        settings,
    )


def memories(prepare: Prepare) -> Contests:
    """Contests at the shapes where the gates and states of a sequence outweigh the pages that loading code takes."""

    def contests(settings: Settings) -> list[Contest]:
        large = [shape for shape in settings.grid() if 6 * 4 * shape.T * shape.B * shape.H >= LEAST_MEMORY]
        shapes = settings.shapes or (large[:1] if settings.quick else large)
        return [Contest("", shape, partial(prepare, shape, settings)) for shape in shapes]

    return contests


def memory_sides(one: str, other: str, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    ours, theirs = (partial(memory.peak, layer, shape, settings.threads, settings.engine) for layer in (one, other))
    return ours, theirs


def language_models(settings: Settings) -> list[Contest]:
    """A step of training as `make demo` takes it."""
    shapes = settings.shapes or (LANGUAGE,)
    return [Contest("", shape, partial(_language_models, shape, settings)) for shape in shapes]


def _language_models(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    theirs = nn.LSTM(shape.I, shape.H)
    ours = LSTM.from_torch(theirs, engine=settings.engine)
    return sides(language_update(ours, shape), language_update(theirs, shape), settings)


# -- a cell that torch has no layer for


def _peephole(settings: Settings, shape: Shape) -> tuple[Recurrent, Tensor]:
    layer = Recurrent("peephole_lstm", shape.I, shape.H, engine=settings.engine, device=settings.device)
    return layer, draw(shape, device=settings.device)


def against_loop(compiled: bool, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """The training step of a peephole LSTM and of the loop that one writes without gatework."""
    ours, x = _peephole(settings, shape)
    weights = [weight.requires_grad_() for weight in peephole_weights(ours)]
    if compiled:
        torch.compiler.reset()  # another shape is another function
    loop = torch.compile(peephole_loop, dynamic=False) if compiled else peephole_loop
    theirs = training(lambda value: loop(value, *weights), x, weights)
    return sides(step_of(ours, x, train=True), theirs, settings)


def against_jax(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    ours, x = _peephole(settings, shape)
    theirs = jax_peephole(x, peephole_weights(ours), settings.threads)
    return sides(step_of(ours, x, train=True), theirs, settings)


def against_onnx(cell: str, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """Both with weights that never change."""
    layer, x = Recurrent(cell, shape.I, shape.H, engine=settings.engine), draw(shape)
    frozen = layer.frozen()
    return sides(lambda: frozen(x), onnx_layer(layer, x, settings.threads), settings)


def cells_against_onnx(settings: Settings) -> list[Contest]:
    """The other cells that are an operator of ONNX."""
    return [
        contest
        for cell in ("peephole_lstm", "gru_reset_after")
        for contest in over_grid(cell, False, partial(against_onnx, cell), variant=cell)(settings)
    ]


def bare_loops(settings: Settings) -> list[Contest]:
    """The inference of one sequence, at numbers of units that the bare loop takes."""
    shapes = [shape for shape in settings.shapes or BARE_SHAPES if shape.B == shape.L == 1 and shape.H % 32 == 0]
    return [
        Contest("", shape, partial(_against_bare_loop, shape, settings), work(cells["lstm"], shape, train=False))
        for shape in shapes
    ]


def _against_bare_loop(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    layer, x, block = LSTM(shape.I, shape.H, engine=settings.engine), draw(shape), settings.budget.block
    return timed(inference(layer, x), block), lambda: bare_lstm(layer, x, max(block, LEAST_SECONDS))[0]


# -- ours against ours, and against the machine


def against_lstm(row_functions: bool) -> Contests:
    """Training steps of the cells with or without row functions and of the LSTM, over the floor of each."""

    def contests(settings: Settings) -> list[Contest]:
        chosen = [name for name in settings.cells or cells if _has_row_functions(name) == row_functions]
        shapes = settings.grid(H=128, quick=(CELL_SHAPE,))
        return [_contest_with_lstm(name, shape, settings) for name in chosen for shape in shapes]

    return contests


def _has_row_functions(cell: str) -> bool:
    return any(stage.rows for stage in cells[cell].program.stages)


def _contest_with_lstm(name: str, given: Shape, settings: Settings) -> Contest:
    variant, shape = as_wide_as(name, given)
    floors = [floor(cells[cell], shape, settings.threads) for cell in (name, "lstm")]
    prepare = partial(cell_against_lstm, name, shape, settings)
    return Contest(variant, given, prepare, work(cells[name], shape, train=True), *floors)


def as_wide_as(cell: str, given: Shape) -> tuple[str, Shape]:
    """A cell's name and shape: one that adds x to a state takes I = H, and so does what is beside it."""
    tied = cells[cell].program.nodes[0].size != "I"  # of x
    return (f"{cell} (I = H)", replace(given, I=given.H)) if tied else (cell, given)


def cell_against_lstm(cell: str, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """The training steps of a cell and of the LSTM, on the same engine."""
    x, engine, device = draw(shape, device=settings.device), settings.engine, settings.device
    layers = [Recurrent(name, shape.I, shape.H, engine=engine, device=device) for name in (cell, "lstm")]
    ours, lstm = (step_of(layer, x, train=True) for layer in layers)
    return sides(ours, lstm, settings)


def recomputing(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """The LSTM with recompute=True and without."""
    layers = [LSTM(shape.I, shape.H, engine=settings.engine, recompute=recompute) for recompute in (True, False)]
    ours, theirs = (step_of(layer, draw(shape), train=True) for layer in layers)
    return sides(ours, theirs, settings)


def bfloat16(train: bool, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """The LSTM in bfloat16 and in float32, on the same engine."""
    engine = choose(settings.engine, torch.device("cpu"), torch.float32).name
    layers = [LSTM(shape.I, shape.H, engine=engine, dtype=dtype) for dtype in (torch.bfloat16, torch.float32)]
    short, full = (step_of(layer, draw(shape, dtype=layer.anchor.dtype), train) for layer in layers)
    return sides(short, full, settings)


def against_ceiling(train: bool, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """The LSTM, and the time in which a bare loop of fused multiply-adds does as many."""
    layer = LSTM(shape.I, shape.H, engine=settings.engine)

    def bare() -> float:
        return 2 * work(cells["lstm"], shape, train) / (ceiling(CEILING_SECONDS, settings.threads) * 1e9)

    return timed(step_of(layer, draw(shape), train), settings.budget.block), bare


def streams(settings: Settings) -> list[Contest]:
    shapes = settings.shapes or (STREAM_SHAPE,)
    return [Contest("", shape, partial(_stream_sides, shape, settings)) for shape in shapes]


def _stream_sides(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """Seconds a step of a stream, called step by step, and of the layer over the whole sequence; one thread each."""
    layer, x = LSTM(shape.I, shape.H, engine=settings.engine), draw(shape)
    whole = inference(layer, x)

    def by_one_thread() -> None:
        torch.set_num_threads(1)
        try:
            whole()
        finally:
            torch.set_num_threads(settings.threads)

    ours, theirs = sides(_stepping(layer, x), by_one_thread, settings)
    return lambda: ours() / shape.T, lambda: theirs() / shape.T


def _stepping(layer: LSTM, x: Tensor, weights: str = "float32") -> Step:
    """All steps of x, one after the other."""
    stream = layer.stream(x.shape[1], weights=weights)

    def steps() -> None:
        for x_t in x:
            stream(x_t)

    return steps


def streams_and_bandwidth(settings: Settings) -> list[Contest]:
    shapes = settings.shapes or STREAM_SHAPES
    return [Contest("", shape, partial(_stream_and_bandwidth, shape, settings)) for shape in shapes]


def _stream_and_bandwidth(shape: Shape, settings: Settings) -> tuple[Side, Side]:
    """Seconds a step of a stream, and in which a core reads as many bytes as the layer's matrices have."""
    layer, x = LSTM(shape.I, shape.H, engine=settings.engine), draw(shape)
    ours, matrices = timed(_stepping(layer, x), settings.budget.block), 4 * 4 * shape.H * (shape.I + shape.H)  # bytes
    return lambda: ours() / shape.T, lambda: matrices / (bandwidth(max(matrices, 4096), BANDWIDTH_SECONDS) * 1e9)


def narrow_streams(weights: str, settings: Settings) -> list[Contest]:
    """Streams whose weights are stored in fewer bits."""
    shapes = settings.shapes or STREAM_SHAPES[1:]
    return [Contest("", shape, partial(_narrow_stream, weights, shape, settings)) for shape in shapes]


def _narrow_stream(weights: str, shape: Shape, settings: Settings) -> tuple[Side, Side]:
    layer, x = LSTM(shape.I, shape.H, engine=settings.engine), draw(shape)
    return sides(_stepping(layer, x, weights), _stepping(layer, x), settings)


def growth(settings: Settings) -> list[Contest]:
    """Training steps of the LSTM with one size varied."""
    made = []
    for name, values in GROWTH.items():
        for value in values[:3] if settings.quick else values:
            shape = replace(settings.shapes[0] if settings.shapes else GROWTH_FROM, **{name: value})
            prepare = partial(against_torch, "lstm", True, shape, settings)
            made.append(Contest(name, shape, prepare, work(cells["lstm"], shape, train=True)))
    return made
