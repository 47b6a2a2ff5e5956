"""torch.fx: in what it traces a layer is one call of a module, as torch.nn's layers are."""

from typing import Any

from torch import nn
from torch.fx import Proxy

from gatework.errors import InputError


def call_of(layer: nn.Module, x: Proxy, state: Any, **options: Any) -> Any:
    """The call of a layer inside the model that torch.fx traces; options that are None are left out."""
    path = x.tracer.path_of_module(layer)  # type: ignore[attr-defined]
    if not path:
        raise InputError("torch.fx traces models that hold a layer; trace a module whose forward calls this one")
    named = {name: value for name, value in options.items() if value is not None}
    return x.tracer.create_proxy("call_module", path, (x,) if state is None else (x, state), named)
