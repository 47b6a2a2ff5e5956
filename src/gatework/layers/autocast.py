"""Which dtype a layer runs in where autocast is on."""

import torch
from torch import Tensor

from gatework.engines import runs


def is_on(device: str) -> bool:
    """Whether autocast is on for a type of devices."""
    return (device == "cpu" or torch.amp.is_autocast_available(device)) and torch.is_autocast_enabled(device)


def autocast_dtype(anchor: Tensor) -> torch.dtype | None:
    """The dtype that autocast asks for where the layer is; None outside autocast, and for float64, as in torch."""
    device = anchor.device.type
    return torch.get_autocast_dtype(device) if is_on(device) and anchor.dtype != torch.float64 else None


def run_dtype(anchor: Tensor, engine: str) -> torch.dtype:
    """What an engine is given: the layer's dtype, or autocast's where the native engine runs it, or the engine "torch".

    The reference engine's products are cast by autocast itself.
    """
    asked = autocast_dtype(anchor)
    asks = "torch" if engine == "torch" else "native"
    fused = asked is not None and engine != "reference" and runs(asks, anchor.device, asked)
    return asked if fused and asked is not None else anchor.dtype
