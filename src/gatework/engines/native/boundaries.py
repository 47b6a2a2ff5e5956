"""Resets before the first step: within what it runs, the core itself lets states start again."""

from dataclasses import replace

import torch

from gatework.engines.arguments import Arguments


def restart_at_first(arguments: Arguments) -> Arguments:
    """The same with the state at the start again where it is reset before the first step."""
    if arguments.resets is None or arguments.reverse:  # seen from the end, no border lies before the first step
        return arguments
    at_first, restart = arguments.resets[:1].any(0)[:, None], arguments.restart  # [B,1]
    state = tuple(torch.where(at_first, s, v) for s, v in zip(restart, arguments.state, strict=True))
    return replace(arguments, state=state, start=restart)
