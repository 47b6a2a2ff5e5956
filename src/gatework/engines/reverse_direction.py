"""The reverse direction: sequences of unequal lengths, run from their own end."""

from dataclasses import replace

import torch
from torch import Tensor

from gatework.engines.arguments import Arguments, Results, Run


def run_reversed(run: Run, arguments: Arguments) -> Results:
    """As `run`, of arguments that ask for the reverse direction, by an engine that knows only the other."""
    lengths, resets = arguments.lengths, arguments.resets
    turned = replace(
        arguments,
        x=reverse(arguments.x, lengths),
        resets=None if resets is None else reverse_resets(resets, lengths),
        reverse=False,
        inputs={n: v if v.shape[0] == 1 else reverse(v, lengths) for n, v in arguments.inputs.items()},
    )
    output, state, recorded = run(turned)
    return reverse(output, lengths), state, {name: reverse(value, lengths) for name, value in recorded.items()}


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """x [T,B,...] with each sequence's first `lengths` steps in reverse order; what lies past them stays."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device)[:, None]  # [T,1]
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)  # [T,B]
    return x.gather(0, order.reshape(*order.shape, *[1] * (x.dim() - 2)).expand_as(x))


def reverse_resets(resets: Tensor, lengths: Tensor | None) -> Tensor:
    """Resets [T,B] for the reverse direction: a border before step t lies, seen from the end, before step t - 1."""
    borders = torch.cat([resets[1:], torch.zeros_like(resets[:1])])
    if lengths is not None:  # the border at a sequence's end is not inside it
        steps = torch.arange(resets.shape[0], device=resets.device)[:, None]
        borders = borders & (steps < lengths - 1)
    return reverse(borders, lengths)
