"""Torch's packed weights (weight_ih_l0, gate under gate) and those of the equations (l0.W_i), either way."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gatework.layers.torch_layers import DropIn


def unpacked(tensors: Mapping[str, Tensor], layer: "DropIn[Any]") -> dict[str, Tensor]:
    """Torch's packed tensors (weight_ih_l0, ...) under the names of the equations (l0.W_i, ...)."""
    found: dict[str, Tensor] = {}
    gates, hidden_bias = layer.layout.gates, layer.layout.hidden_bias
    for key, tensor in tensors.items():
        kind, _, place = key.partition("_l")
        rows = dict(zip(gates, tensor.chunk(len(gates)), strict=False))
        if kind == "weight_hr":
            found[f"l{place}.{layer.layout.projection}"] = tensor
        for gate, part in rows.items():
            match kind:
                case "weight_ih":
                    found[f"l{place}.W_{gate}"] = part
                case "weight_hh":
                    found[f"l{place}.U_{gate}"] = part
                case "bias_hh" if gate in hidden_bias:
                    found[f"l{place}.{hidden_bias[gate]}"] = part
                case "bias_ih" | "bias_hh":
                    name = f"l{place}.b_{gate}"
                    found[name] = found[name] + part if name in found else part
    return found


def origins(layer: "DropIn[Any]") -> dict[str, list[str]]:
    """Torch's packed names -> the names of the equations whose values stand there, in the order of the rows."""
    found: dict[str, list[str]] = {}
    for place, _ in layer.named_children():
        gates, hidden_bias = layer.layout.gates, layer.layout.hidden_bias
        found[f"weight_ih_{place}"] = [f"{place}.W_{gate}" for gate in gates]
        found[f"weight_hh_{place}"] = [f"{place}.U_{gate}" for gate in gates]
        if layer.bias:
            found[f"bias_ih_{place}"] = [f"{place}.b_{gate}" for gate in gates]
            found[f"bias_hh_{place}"] = [f"{place}.{hidden_bias.get(gate, f'b_{gate}')}" for gate in gates]
        if layer.layout.projection:
            found[f"weight_hr_{place}"] = [f"{place}.{layer.layout.projection}"]
    return found


def effective(layer: "DropIn[Any]") -> dict[str, Tensor]:
    """The layer's weights as it uses them, by their names (l0.W_i): pruned, normalised, parametrised."""
    with torch.enable_grad():  # whether they learn is told too
        places = {place: weights(dict) for place, weights in layer.named_children()}
    return {f"{place}.{name}": tensor for place, tensors in places.items() for name, tensor in tensors.items()}


def packed(layer: "DropIn[Any]", weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The layer's weights as torch packs them; bias_hh is 0 but where it is a parameter of its own."""
    sources = origins(layer)
    once = {name for key, names in sources.items() if not key.startswith("bias_hh") for name in names}

    def value(key: str, name: str) -> Tensor:
        own = weights[name].detach()
        return torch.zeros_like(own) if key.startswith("bias_hh") and name in once else own

    return {key: torch.cat([value(key, name) for name in names]) for key, names in sources.items()}


def unpack_state_dict(layer: "DropIn[Any]", state_dict: dict[str, Tensor], prefix: str, *more: Any) -> None:
    """Lets a torch.nn state_dict load: its packed entries are replaced by those of the equations."""
    metadata, *_, errors = more
    starts = tuple(f"{prefix}{kind}_l" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
    theirs = {key: state_dict.pop(key) for key in list(state_dict) if key.startswith(starts)}
    for key in [key for key in theirs if key.startswith(f"{prefix}bias_hh")]:
        twin = theirs.get(key.replace("bias_hh", "bias_ih"), theirs[key])
        if twin.shape != theirs[key].shape:
            errors.append(f"size mismatch for {key}: {list(theirs[key].shape)} beside bias_ih of {list(twin.shape)}")
            del theirs[key]
    ours = unpacked({key.removeprefix(prefix): tensor for key, tensor in theirs.items()}, layer)
    assigned = metadata.get("assign_to_params_buffers", False)  # what becomes a parameter needs memory of its own
    state_dict.update({prefix + name: tensor.clone() if assigned else tensor for name, tensor in ours.items()})
