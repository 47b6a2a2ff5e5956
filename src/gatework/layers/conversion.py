"""A model's torch layers replaced by gatework's, all of them or none."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from gatework.errors import InputError
from gatework.layers.torch_layers import GRU, LSTM, RNN, DropIn
from gatework.layers.torch_modules import carry_hooks, kind, shared
from gatework.notation import EquationError

OURS: Mapping[type[nn.RNNBase], type[DropIn[Any]]] = {cls.counterpart: cls for cls in (LSTM, GRU, RNN)}


def convert(module: nn.Module, **options: Any) -> nn.Module:
    """Replaces every torch.nn.LSTM, GRU and RNN inside a module, with their weights and hooks, and returns the module.

    Convert before an optimizer is made: it must be given the new parameters. Each layer's `to_torch()` leads back.
    One used in two places stays shared. Subclasses of torch's layers and single-step cells such as nn.LSTMCell are
    left as they are.

    Args:
        module: what holds the layers, or such a layer itself.
        **options: of each new layer, as of gw.Recurrent: engine="reference".

    Returns:
        The module itself; of a layer the one in its place.

    Raises:
        InputError: a layer that cannot be converted (it is pruned, normalised, parametrised, or shares weights with
            another), with its name and the remedy; the model is then as it was.
    """
    layers = {path: old for path, old in module.named_modules(remove_duplicate=False) if kind(old)}
    made: dict[nn.Module, DropIn[Any]] = {}
    for path, old in layers.items():
        if old not in made:
            made[old] = replacement(module, path, old, options)
    for path, old in layers.items():
        carry_hooks(old, made[old])
        if path:
            parent, _, name = path.rpartition(".")
            setattr(module.get_submodule(parent), name, made[old])
    return made.get(module, module)


def replacement(module: nn.Module, path: str, old: nn.Module, options: Mapping[str, Any]) -> DropIn[Any]:
    """The new layer for one of a module's; an error names its path."""
    cls, place = kind(old), path or type(old).__name__
    assert isinstance(old, nn.RNNBase) and cls is not None
    if reason := shared(module, old):
        raise InputError(f"{place}: {reason}")
    try:
        return OURS[cls].from_torch(old, **options)
    except (InputError, EquationError) as error:
        raise InputError(f"{place}: {error}") from error
