"""The arithmetic and the memory that a cell needs, and the steps that are timed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell
from gatework.lab.bench.measure import Shape, Side, in_blocks
from gatework.notation import Program
from gatework.notation.adjoint import adjoint

TOKENS = 223  # of the text of `make demo`
TRAINING = 3  # each product of the forward pass has two of its size in the backward pass
FLOAT = 4  # bytes

Step = Callable[[], object]


def multiplies(program: Program, sizes: Mapping[str, int]) -> int:
    """Multiply-adds of the products of one step of one sequence."""
    nodes = program.nodes
    return sum(sizes[node.size] * sizes[nodes[node.args[0]].size] for node in nodes if node.op == "product")


def work(cell: Cell, shape: Shape, train: bool) -> int:
    """Multiply-adds of the products over a shape, with those of the backward pass where it trains."""
    each = sum(multiplies(cell.program, sizes) for sizes in sizes_of_layers(cell, shape))
    return shape.T * shape.B * each * (TRAINING if train else 1)


def sizes_of_layers(cell: Cell, shape: Shape) -> list[dict[str, int]]:
    widths = (shape.I, *[shape.H] * (shape.L - 1))
    return [cell.program.bind(width, shape.H) for width in widths]


def activations(program: Program, sizes: Mapping[str, int]) -> int:
    """Bytes that a training step moves for one step of one sequence, beside those of the matrices.

    Saved values are written and read; states are written, read back and read by the gradients of weights; gradients
    that are factors of these are written and read; the input is read twice and its gradient written; the gradient of
    the output is read.
    """
    backward = adjoint(program)
    factors = {gradient for _, terms in backward.matrices for gradient, _ in terms}
    saved = sum(sizes[program.nodes[index].size] for index in backward.saved)
    states = sum(sizes[state.size] for state in program.states)
    gradients = sum(sizes[backward.nodes[index].size] for index in factors)
    return FLOAT * (2 * saved + 3 * states + 2 * gradients + 3 * sizes["I"] + sizes[program.output_size])


def recurrent_weights(program: Program, sizes: Mapping[str, int]) -> int:
    """Bytes of the matrices that multiply anything but the input: each step reads them, forwards and backwards."""
    nodes = program.nodes
    products = [node for node in nodes if node.op == "product" and nodes[node.args[0]].op != "input"]
    return FLOAT * sum(sizes[node.size] * sizes[nodes[node.args[0]].size] for node in products)


def draw(shape: Shape, **options: Any) -> Tensor:
    return torch.randn(shape.T, shape.B, shape.I, **options)


def inference(layer: nn.Module, x: Tensor) -> Step:
    """The forward pass alone, without a graph."""

    def step() -> object:
        with torch.no_grad():
            return layer(x)

    return step


def training(output: Callable[[Tensor], Tensor], x: Tensor, parameters: Sequence[Tensor]) -> Step:
    """Forward and backward pass, with the gradients of the input and of every parameter."""
    x = x.detach().requires_grad_()

    def step() -> None:
        for tensor in (x, *parameters):
            tensor.grad = None
        output(x).sum().backward()  # type: ignore[no-untyped-call]

    return step


def step_of(layer: nn.Module, x: Tensor, train: bool) -> Step:
    """A training step or the inference of a layer that returns (output, state)."""
    return training(lambda value: layer(value)[0], x, [*layer.parameters()]) if train else inference(layer, x)


def language_update(layer: nn.Module, shape: Shape) -> Step:
    """One update of a language model: embedding, layer, softmax over TOKENS, gradients clipped, AdamW."""
    model = nn.ModuleList([nn.Embedding(TOKENS, shape.I), layer, nn.Linear(shape.H, TOKENS)])
    embedding, _, output = model
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    inputs, targets = torch.randint(TOKENS, (2, shape.T, shape.B))

    def step() -> None:
        optimizer.zero_grad()
        logits = output(layer(embedding(inputs))[0])
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def timed_by_events(step: Step, block: float) -> Side:
    """As `measure.timed`, by two events of the CUDA device around a block's calls."""

    def seconds(calls: int) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        for _ in range(calls):
            step()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3 / calls

    return in_blocks(step, block, seconds)
