"""The rows of the table: what is compared with what, and the targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from gatework.lab.bench import on_cuda
from gatework.lab.bench.contests import (
    Contests,
    against_ceiling,
    against_jax,
    against_loop,
    against_lstm,
    against_onnx,
    against_torch,
    bare_loops,
    bfloat16,
    both_directions,
    calls,
    cells_against_onnx,
    growth,
    gru_and_rnn,
    language_models,
    memories,
    memory_sides,
    narrow_streams,
    over_grid,
    recomputing,
    streams,
    streams_and_bandwidth,
)


@dataclass(frozen=True)
class Row:
    """One comparison at many shapes.

    figure: what is compared, "speed" (ours at least so many times as fast as theirs), "cost" (ours at most so
    many times as much) or "excess" (ours at most so much above theirs). each, mean: the targets at every shape and
    for the geometric mean. unit: of the costs, "ms", "us" or "MiB". rounds: at most so many. percent: the figure is
    a share. asked: runs only where named. device: where it is measured.
    """

    name: str
    title: str
    contests: Contests
    figure: str = "speed"
    each: float | None = None
    mean: float | None = None
    unit: str = "ms"
    rounds: int = 99
    percent: bool = False
    asked: bool = False
    device: str = "cpu"


TABLE = (
    Row(
        "call",
        "one step of one sequence / torch.nn.LSTM, nn.GRU",
        calls,
        each=1.0,
        unit="us",
    ),
    Row(
        "lstm-inference",
        "LSTM inference / torch.nn.LSTM",
        over_grid("lstm", False, partial(against_torch, "lstm", False)),
        each=1.0,
        mean=1.5,
    ),
    Row(
        "lstm-training",
        "LSTM training step / torch.nn.LSTM",
        over_grid("lstm", True, partial(against_torch, "lstm", True)),
        each=1.25,
        mean=1.6,
    ),
    Row(
        "gru-rnn-training",
        "GRU (both forms) and RNN training step / torch.nn.GRU, nn.RNN",
        gru_and_rnn,
        each=1.5,
        mean=5.0,
    ),
    Row(
        "both-directions",
        "LSTM in both directions / torch.nn.LSTM",
        both_directions,
        each=1.3,
    ),
    Row(
        "language-model",
        "training step of a language model / with torch.nn.LSTM",
        language_models,
        each=1.5,
    ),
    Row(
        "peephole-eager",
        "peephole LSTM training step / eager torch loop",
        over_grid("peephole_lstm", True, partial(against_loop, False)),
    ),
    Row(
        "peephole-compile",
        "peephole LSTM training step / torch.compile of that loop",
        over_grid("peephole_lstm", True, partial(against_loop, True)),
        asked=True,
    ),
    Row(
        "peephole-jax",
        "peephole LSTM training step / jitted jax.lax.scan",
        over_grid("peephole_lstm", True, against_jax),
        each=1.5,
        mean=2.0,
    ),
    Row(
        "lstm-onnx",
        "frozen LSTM inference / ONNX Runtime",
        over_grid("lstm", False, partial(against_onnx, "lstm")),
        each=1.0,
        mean=1.3,
    ),
    Row(
        "cells-onnx",
        "frozen peephole LSTM and GRU inference / ONNX Runtime",
        cells_against_onnx,
        each=1.0,
        mean=1.3,
    ),
    Row(
        "bare-loop",
        "LSTM inference of one sequence / a bare loop of the same",
        bare_loops,
        figure="cost",
        each=1.25,
    ),
    Row(
        "cells",
        "training step of a cell / our LSTM, each over its floor",
        against_lstm(row_functions=False),
        figure="cost",
        each=1.3,
    ),
    Row(
        "row-cells",
        "training step of a cell with row functions / our LSTM, each over its floor",
        against_lstm(row_functions=True),
        figure="cost",
        each=1.5,
    ),
    Row(
        "bfloat16-inference",
        "LSTM inference in bfloat16 / in float32",
        over_grid("lstm", False, partial(bfloat16, False), H=256, B=32),
        each=0.97,
    ),
    Row(
        "bfloat16-training",
        "LSTM training step in bfloat16 / in float32",
        over_grid("lstm", True, partial(bfloat16, True), H=256, B=32),
        each=0.97,
    ),
    Row(
        "ceiling-inference",
        "LSTM inference, share of the FMA ceiling",
        over_grid("lstm", False, partial(against_ceiling, False), H=256, B=32),
        each=0.8,
        percent=True,
    ),
    Row(
        "ceiling-training",
        "LSTM training step, share of the FMA ceiling",
        over_grid("lstm", True, partial(against_ceiling, True), H=256, B=32),
        each=0.7,
        percent=True,
    ),
    Row(
        "memory",
        "peak memory of an LSTM training step / torch.nn.LSTM",
        memories(partial(memory_sides, "ours", "theirs")),
        figure="cost",
        each=0.8,
        unit="MiB",
        rounds=3,
    ),
    Row(
        "recompute-memory",
        "peak memory of an LSTM training step with recompute=True / without",
        memories(partial(memory_sides, "recomputing", "ours")),
        figure="cost",
        unit="MiB",
        rounds=3,
    ),
    Row(
        "recompute-time",
        "LSTM training step with recompute=True / without",
        memories(recomputing),
        figure="cost",
    ),
    Row(
        "stream",
        "a step of an LSTM stream, beyond its share of a whole sequence",
        streams,
        figure="excess",
        each=3e-6,
        unit="us",
    ),
    Row(
        "stream-bandwidth",
        "a step of an LSTM stream / the reading of its weights by a bare loop",
        streams_and_bandwidth,
        figure="cost",
        each=1.5,
        unit="us",
    ),
    Row(
        "stream-int8",
        "a step of an LSTM stream with weights of 8 bits / of float32",
        partial(narrow_streams, "int8"),
        each=2.0,
    ),
    Row(
        "stream-bfloat16",
        "a step of an LSTM stream with weights of bfloat16 / of float32",
        partial(narrow_streams, "bfloat16"),
    ),
    Row("growth", "LSTM training step as one size grows / torch.nn.LSTM", growth, asked=True),
    Row(
        "cuda-lstm",
        "LSTM on a GPU, engine torch / torch.nn.LSTM",
        on_cuda.against_cudnn("torch", most_units=2048),
        figure="cost",
        each=1.05,
        device="cuda",
    ),
    Row(
        "cuda-lstm-whole",
        "LSTM on a GPU, engine triton in one kernel / torch.nn.LSTM",
        on_cuda.against_cudnn("triton", most_units=128),
        figure="cost",
        each=1.25,
        device="cuda",
    ),
    Row(
        "cuda-eager",
        "peephole LSTM training step on a GPU / eager torch loop",
        on_cuda.against_loop(compiled=False, most_sequences=on_cuda.FEW),
        each=10.0,
        device="cuda",
    ),
    Row(
        "cuda-compile",
        "peephole LSTM training step on a GPU / torch.compile of that loop",
        on_cuda.against_loop(compiled=True, most_sequences=256),
        asked=True,
        device="cuda",
    ),
    Row(
        "cuda-cells",
        "training step of a cell on a GPU / our LSTM, each by its multiply-adds",
        on_cuda.against_lstm,
        figure="cost",
        each=1.3,
        device="cuda",
    ),
)

ROWS: Mapping[str, Row] = MappingProxyType({row.name: row for row in TABLE})
