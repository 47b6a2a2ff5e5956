"""Resets, where the core does not see to them: before the first step, of the whole sequence or of a part of it.

Within what it runs, the core itself lets states start again and keeps gradients from crossing.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gatework.engines.arguments import Arguments
from gatework.engines.native.keys import Key
from gatework.engines.native.memory import Memory


def restart_at_first(arguments: Arguments) -> Arguments:
    """The same with the state at the start again where it is reset before the first step."""
    if arguments.resets is None:
        return arguments
    at_first, restart = arguments.resets[:1].any(0)[:, None], arguments.restart  # [B,1]
    state = tuple(torch.where(at_first, s, v) for s, v in zip(restart, arguments.state, strict=True))
    return replace(arguments, state=state, start=restart)


def of_steps(
    lengths: Tensor | None, resets: Tensor | None, first: int, steps: int
) -> tuple[Tensor | None, Tensor | None]:
    """Lengths and resets of so many steps from `first` on."""
    return (
        None if lengths is None else (lengths - first).clamp(0, steps),
        None if resets is None else resets[first : first + steps],
    )


def reset_gradients(memory: Memory, at_first: Tensor, restarts: Mapping[Key, Key]) -> None:
    """Gradients by the states before a step go to the starts where they are reset there, [B] not 0, and no further.

    restarts: gradient by a state -> gradient by its start.
    """
    resets = at_first[:, None] > 0
    for by_state, by_start in restarts.items():
        gradient = memory.tensors[by_state][0]
        memory.tensors[by_start] += torch.where(resets, gradient, 0)
        gradient.masked_fill_(resets, 0)
