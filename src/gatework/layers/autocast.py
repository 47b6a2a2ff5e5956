"""Which dtype a layer runs in where autocast is on."""

import torch
from torch import Tensor

from gatework.engines import choose, runs
from gatework.notation import Program


def is_on(device: str) -> bool:
    """Whether autocast is on for a type of devices."""
    return (device == "cpu" or torch.amp.is_autocast_available(device)) and torch.is_autocast_enabled(device)


def autocast_dtype(anchor: Tensor) -> torch.dtype | None:
    """The dtype that autocast asks for where the layer is; None outside autocast, and for float64, as in torch."""
    device = anchor.device.type
    return torch.get_autocast_dtype(device) if is_on(device) and anchor.dtype != torch.float64 else None


def run_dtype(anchor: Tensor, engine: str, program: Program) -> torch.dtype:
    """What an engine is given: autocast's dtype where a fused engine runs it, with sums in float32, else the layer's.

    The reference engine's products are cast by autocast itself.
    """
    asked = autocast_dtype(anchor)
    if asked is None or engine == "reference":
        return anchor.dtype
    if engine == "auto" and anchor.device.type == "cuda":
        fused = choose(engine, anchor.device, asked, program=program).name != "reference"
    else:
        fused = runs("native" if engine == "auto" else engine, anchor.device, asked)
    return asked if fused else anchor.dtype
