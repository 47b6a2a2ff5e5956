"""What a trained network costs without torch: `python -m gatework.lab.deployed [RUN]`, on a machine that is quiet.

Three tables: sessions beside ONNX Runtime's own operator and torch, calls interleaved and compared round by round; the
step of some streams of many; and how soon the first character of a sample is there.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from torch import nn

from gatework.exporting import model_of
from gatework.lab.bench.report import table
from gatework.lab.bench.rivals import onnx_layer
from gatework.layers import GRU, LSTM
from gatework.runtime import Session

INPUTS, UNITS = 64, 128
SEQUENCES, STEPS = (1, 8, 64), (1, 100, 1000)
ROUNDS, BLOCK = 15, 0.02  # and seconds of each side in a round, at least one call
MOST, ACTIVE = 1024, (9, 13, 17, 33, 100, 333, 700, 1024)  # streams, and how many of them have input
STARTS = 7
Run = Callable[[], object]


def seconds(run: Run) -> float:
    """What a call takes, on the mean of as many as fill a block."""
    began, calls = perf_counter(), 0
    while perf_counter() - began < BLOCK or not calls:
        run()
        calls += 1
    return (perf_counter() - began) / calls


def interleaved(*runs: Run) -> list[list[float]]:
    """The seconds of each in every round, one after another."""
    for run in runs:
        run()
    return [[seconds(run) for run in runs] for _ in range(ROUNDS)]


def contests(threads: int) -> Iterator[list[str]]:
    """A line for each cell and shape: microseconds of a call, and how many times as long the rivals take."""
    for name, ours, theirs in (("lstm", LSTM, nn.LSTM), ("gru_reset_after", GRU, nn.GRU)):
        reference = theirs(INPUTS, UNITS)
        layer = ours.from_torch(reference).eval()
        session = Session(model_of(layer), threads=threads)
        for T in STEPS:
            for B in SEQUENCES:
                x = torch.randn(T, B, INPUTS)
                array, rival = x.numpy(), onnx_layer(layer, x, threads)
                with torch.inference_mode():
                    rounds = interleaved(partial(session.run, array), rival, partial(reference, x))
                own, onnx, by_torch = np.median([[a, b / a, c / a] for a, b, c in rounds], 0)
                yield [name, str(T), str(B), f"{own * 1e6:,.0f}", f"{onnx:.2f}", f"{by_torch:.2f}"]


def streams() -> Iterator[list[str]]:
    """A line for each number of active streams: microseconds of one thread's step, over its share of a step of all."""
    random = np.random.default_rng(0)
    session = Session(model_of(LSTM(INPUTS, UNITS).eval()))
    many = session.streams(MOST)
    numbers = np.array([many.join() for _ in range(MOST)])
    inputs = random.standard_normal((MOST, INPUTS), np.float32)
    chosen = [random.permutation(numbers)[:active] for active in ACTIVE]
    rounds = interleaved(*(partial(many.step, these, inputs[these]) for these in chosen))
    costs, whole = np.median(rounds, 0), np.median([each[-1] for each in rounds])
    for active, cost in zip(ACTIVE, costs, strict=True):
        yield [str(active), f"{cost * 1e6:,.0f}", f"{cost / active / (whole / MOST):.2f}"]


def starts(run: Path) -> Iterator[list[str]]:
    """How soon a process imports the runtime, and how soon the first character of a sample is there.

    Modules are compiled to bytecode before, as an installation compiles them.
    """
    own = [sys.executable, "-c"]
    sample = "from gatework.cli import main; main()"
    commands = {
        "python -c pass": [*own, "pass"],
        "import numpy": [*own, "import numpy"],
        "import gatework.runtime": [*own, "import gatework.runtime"],
        "a Session of RUN": [*own, f"from gatework.runtime import Session; Session({str(run)!r})"],
        "gatework sample RUN, first character": [
            *own,
            f"import sys; sys.argv[1:] = ['sample', {str(run)!r}]; {sample}",
        ],
        "import torch": [*own, "import torch"],
    }
    with TemporaryDirectory() as bytecode:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        for command in commands.values():
            subprocess.run(command, env=environment, check=True, capture_output=True)
        rounds = [[_first_byte(command, environment) for command in commands.values()] for _ in range(STARTS)]
    for name, took in zip(commands, np.median(rounds, 0), strict=True):
        yield [name, f"{took:.2f}"]


def _first_byte(command: list[str], environment: Mapping[str, str]) -> float:
    """Seconds to the first byte that a process prints, or to its end."""
    began = perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = perf_counter() - began
        process.kill()
    return took


def main() -> None:
    """Prints the tables; RUN: a run of text, for the times to the first character."""
    threads = torch.get_num_threads()
    print(f"{threads} threads, {INPUTS} inputs, {UNITS} units\n")
    print(table(["cell", "T", "B", "us", "ONNX Runtime / ours", "torch / ours"], list(contests(threads))), end="\n\n")
    print(table(["streams", "us", "over its share"], list(streams())), end="\n\n")
    for run in sys.argv[1:]:
        print(table(["", "seconds"], list(starts(Path(run)))))


if __name__ == "__main__":
    main()
