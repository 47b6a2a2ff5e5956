"""python -m gatework.onnx.check: every cell as ONNX beside float64, and what a Scan costs beside the operator LSTM."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator

from gatework.cells import Cell, cells
from gatework.layers import Recurrent
from gatework.onnx.described import layer as described
from gatework.onnx.model import Options, model

T, B, I, H, L = 50, 7, 16, 24, 2
SPEED = {"T": 100, "I": 64, "H": 128}
BATCHES = (1, 8, 64)
SECONDS = 5.0  # that a comparison of two takes, about
UNKNOWN = ("rnn_relu",)  # to onnx's evaluator, whose RNN has tanh alone
KINDS = ("LSTM", "GRU", "RNN", "Scan")

Feeds = Mapping[str, npt.NDArray[Any]]
Run = Callable[[Feeds], list[npt.NDArray[np.float32]]]


def main() -> None:
    print(f"onnx {version('onnx')}, onnxruntime {version('onnxruntime')}, torch {torch.__version__}")
    print(f"\n| cell | becomes | nodes a step | gatework | onnxruntime | onnx's evaluator |\n{'|---' * 6}|")
    for cell in cells.values():
        print(row(cell), flush=True)
    print(f"\n| B | LSTM, ms | Scan, ms | Scan / LSTM |\n{'|---' * 4}|")
    for batch in BATCHES:
        print(speed(batch), flush=True)


def row(cell: Cell) -> str:
    """What a cell of two layers becomes, and the largest differences from float64, relative to 1 + |value|."""
    exact = layer(cell)
    made = exported(exact)
    feeds, expected = problem(exact)
    (kind,) = {node.op_type for node in made.graph.node} & set(KINDS)
    runs = [by_gatework(exact), in_onnxruntime(made), *([] if cell.name in UNKNOWN else [by_evaluator(made)])]
    differences = [f"{largest(run(feeds), expected):.1e}" for run in runs]
    shown = [*differences, "-"][:3]
    nodes = str(len(body(made))) if kind == "Scan" else "1"
    return f"| {' | '.join([cell.name, kind, nodes, *shown])} |"


def layer(cell: Cell) -> Recurrent:
    """Two layers of a cell in float64 with the weights that training begins with, rounded to float32."""
    torch.manual_seed(0)
    size = H if cell.program.tied else I
    made = Recurrent(cell, size, H, L, proj_size=H // 2 if "R" in cell.program.sizes else 0, dtype=torch.float64)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(parameter.float())
    return made


def exported(exact: Recurrent, *, operators: bool = True) -> onnx.ModelProto:
    return model(described(exact), Options(operators=operators))


def problem(exact: Recurrent) -> tuple[Feeds, list[npt.NDArray[np.float64]]]:
    """Random inputs and states, and what the layers make of them in float64."""
    x = torch.randn(T, B, exact.input_size)
    states = [torch.rand(slots, B, size) for slots, size in exact.state_shapes.values()]
    with torch.no_grad():
        output, final = exact(x.double(), [state.double() for state in states])
    feeds = {"x": x.numpy()} | {name: state.numpy() for name, state in zip(exact.state_names, states, strict=True)}
    return feeds, [value.numpy() for value in (output, *final)]


def largest(found: list[npt.NDArray[np.float32]], expected: list[npt.NDArray[np.float64]]) -> float:
    return max(float((np.abs(a - b) / (1 + np.abs(b))).max()) for a, b in zip(found, expected, strict=True))


def body(made: onnx.ModelProto) -> Any:
    """The nodes of a step of the first Scan."""
    scan = next(node for node in made.graph.node if node.op_type == "Scan")
    return next(attribute for attribute in scan.attribute if attribute.name == "body").g.node


def by_gatework(exact: Recurrent) -> Run:
    """The layers themselves, from now on in float32."""
    layer = exact.float()

    def run(feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        x, *states = (torch.from_numpy(value) for value in feeds.values())
        with torch.no_grad():
            output, final = layer(x, states)
        return [value.numpy() for value in (output, *final)]

    return run


def in_onnxruntime(made: onnx.ModelProto) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda feeds: list(session.run(None, dict(feeds)))


def by_evaluator(made: onnx.ModelProto) -> Run:
    evaluator = ReferenceEvaluator(made)
    return lambda feeds: list(evaluator.run(None, dict(feeds)))


def speed(batch: int) -> str:
    """One layer of an LSTM by ONNX Runtime on one thread, as the operator and as a Scan, in turns."""
    torch.manual_seed(0)
    exact = Recurrent("lstm", SPEED["I"], SPEED["H"])
    rng = np.random.default_rng(0)
    feeds = {"x": rng.normal(size=(SPEED["T"], batch, SPEED["I"])).astype(np.float32)}
    feeds |= {name: np.zeros((1, batch, SPEED["H"]), np.float32) for name in exact.state_names}
    runs = [in_onnxruntime(exported(exact, operators=operators)) for operators in (True, False)]
    rounds = list(in_turns([lambda run=run: run(feeds) for run in runs]))  # type: ignore[misc]
    operator, scan = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    return f"| {batch} | {1e3 * operator:.2f} | {1e3 * scan:.2f} | {ratio:.2f} |"


def in_turns(calls: list[Callable[[], Any]]) -> Iterator[list[float]]:
    """Seconds of each of the calls, one after the other again and again, after some that do not count."""
    for call in calls * 3:
        call()
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        seconds = []
        for call in calls:
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
        yield seconds


if __name__ == "__main__":
    main()
