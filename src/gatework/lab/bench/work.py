"""The arithmetic that a cell needs, and the steps that are timed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.cells import Cell
from gatework.lab.bench.measure import Shape
from gatework.notation import Program

TOKENS = 223  # of the text of `make demo`
TRAINING = 3  # each product of the forward pass has two of its size in the backward pass

Step = Callable[[], object]


def multiplies(program: Program, sizes: Mapping[str, int]) -> int:
    """Multiply-adds of the products of one step of one sequence."""
    nodes = program.nodes
    return sum(sizes[node.size] * sizes[nodes[node.args[0]].size] for node in nodes if node.op == "product")


def work(cell: Cell, shape: Shape, train: bool) -> int:
    """Multiply-adds of the products over a shape, with those of the backward pass where it trains."""
    widths = (shape.I, *[shape.H] * (shape.L - 1))
    each = sum(multiplies(cell.program, cell.program.bind(width, shape.H)) for width in widths)
    return shape.T * shape.B * each * (TRAINING if train else 1)


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
