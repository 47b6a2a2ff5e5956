"""The peak memory of a training step, each measured in a process of its own."""

import gc
import re
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from gatework.errors import InputError
from gatework.lab.bench.measure import Shape
from gatework.lab.bench.work import Step, draw, step_of
from gatework.layers import LSTM

LAYERS = ("ours", "theirs", "recomputing")
WARM_UP = Shape(2, 2, 4, 4)
PROCESS = Path("/proc/self")


def peak(layer: str, shape: Shape, threads: int, engine: str) -> float:
    """Bytes that a training step of an LSTM, one of LAYERS, adds to a process that holds layer and input."""
    command = "from gatework.lab.bench.memory import main; main()"
    arguments = [sys.executable, "-c", command, layer, str(shape), str(threads), engine]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(
            f"the process that measures memory failed: {(done.stderr.strip() or 'killed').splitlines()[-1]}"
        )
    if (size := float(done.stdout)) <= 0:
        raise InputError(f"a training step at {shape} takes no further page of memory: too small to be measured")
    return size


def main() -> None:
    """Prints the peak of one step; a tiny one before it loads what any step needs."""
    layer, shape, threads, engine = sys.argv[1:]
    torch.set_num_threads(int(threads))
    _lstm_step(layer, WARM_UP, engine)()
    print(peak_of(_lstm_step(layer, Shape.parse(shape), engine)))


def _lstm_step(layer: str, shape: Shape, engine: str) -> Step:
    theirs = nn.LSTM(shape.I, shape.H, shape.L)
    recompute = layer == "recomputing"
    chosen = theirs if layer == "theirs" else LSTM.from_torch(theirs, engine=engine, recompute=recompute)
    return step_of(chosen, draw(shape), train=True)


def peak_of(step: Step) -> int:
    """Bytes by which a step raises the resident memory of this process at its highest.

    Linux restarts its record of the highest on request, so what importing took at its highest does not hide
    the step; getrusage's record cannot be restarted and begins with that of the parent process.
    """
    gc.collect()
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError as error:
        raise InputError(f"peak memory is measured by {PROCESS}/clear_refs, which cannot be written here") from error
    before = _status("VmRSS")
    step()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """An entry of /proc/self/status, in bytes."""
    match = re.search(rf"^{name}:\s*(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
    assert match is not None, name
    return 1024 * int(match[1])
