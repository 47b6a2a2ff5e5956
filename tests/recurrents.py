"""Recurrent layers for tests: of every cell, with weights that are nowhere 0, and what they should compute."""

import torch
from torch import Tensor, nn

import gatework as gw
from gatework.cells import Cell, cells
from gatework.engines import Arguments, reference
from numerics import randomise

UNTIED = [name for name, cell in cells.items() if not cell.program.tied]  # input and hidden size may differ


def made(cell: str | Cell, I: int = 4, H: int = 5, *args, **options) -> gw.Recurrent:
    """A layer in float64; I is H where the cell asks for it, and the output is projected where it can be."""
    program = (cells[cell] if isinstance(cell, str) else cell).program
    if "R" in program.sizes:
        options.setdefault("proj_size", max(1, H // 2))
    layer = gw.Recurrent(cell, H if program.tied else I, H, *args, dtype=torch.float64, **options)
    return randomise(layer)


def flat(returned: tuple[Tensor, tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Output and each state."""
    return (returned[0], *returned[1])


def by_hand(layer: gw.Recurrent, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]:
    """Output and final states of the layers run one after another, the reverse direction on x turned round."""
    final, states = [], layer.program.states
    for number in range(layer.num_layers):
        outputs = []
        for direction in layer.directions:
            weights = layer.get_submodule(f"l{number}{direction}")
            old = tuple(torch.full((x.shape[1], layer.sizes[number][s.size]), s.start, dtype=x.dtype) for s in states)
            if state is not None:
                old = tuple(value[len(final)] for value in state)
            turned = x.flip(0) if direction else x
            output, new, _ = reference.run(Arguments(layer.program, dict(weights.named_parameters()), turned, old))
            outputs.append(output.flip(0) if direction else output)
            final.append(new)
        y = torch.cat(outputs, -1)
        x = y + x if layer.residual and number else y
    return x, *(torch.stack(values) for values in zip(*final, strict=True))


def outputs(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    output, state = layer(x)
    return (output, state) if isinstance(state, Tensor) else (output, *state)
