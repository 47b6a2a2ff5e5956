"""Layers of torch.nn in a model: which kind one is, and what keeps it from being converted."""

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod

KINDS: tuple[type[nn.RNNBase], ...] = (nn.LSTM, nn.GRU, nn.RNN)
OF_STATE_DICTS = (
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
OF_CALLS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_is_full_backward_hook",
)


def kind(module: nn.Module) -> type[nn.RNNBase] | None:
    """nn.LSTM, nn.GRU or nn.RNN, also where a tool of torch has put a class of its own over it; None for all else.

    A subclass that somebody else wrote is none of them: it may do anything.
    """
    for cls in type(module).__mro__:
        if cls in KINDS or not cls.__module__.startswith("torch."):
            return cls if cls in KINDS else None
    return None


def obstacle(module: nn.RNNBase) -> str | None:
    """What of a layer would be lost if its weights alone were taken, and what to do about it."""
    for name in module._flat_weights_names:
        if name not in module._parameters:
            return made_of_others(module, name)
    if len(set(map(id, module._parameters.values()))) < len(module._flat_weights_names):
        return "its weights are tied among themselves: convert before that"
    if type(module) not in KINDS:
        return f"it is {type(module).__name__}, which a tool has made of it: convert before that"
    if "forward" in vars(module):
        return "its forward was replaced: convert before that"
    if more := set(module.state_dict()) - set(module._flat_weights_names):
        return f"it holds {', '.join(sorted(more))} beside its own weights: move that elsewhere"
    if any(getattr(module, hooks) for hooks in OF_STATE_DICTS):
        return "hooks on its state_dict know names that change: remove them"
    return None


def made_of_others(module: nn.RNNBase, name: str) -> str:
    if parametrize.is_parametrized(module, name):
        return f"{name} is parametrised: torch.nn.utils.parametrize.remove_parametrizations(layer, {name!r}) first"
    if any(isinstance(hook, BasePruningMethod) for hook in module._forward_pre_hooks.values()):
        return f"{name} is pruned: torch.nn.utils.prune.remove(layer, {name!r}) first"
    remedy = "what normalises it first (torch.nn.utils.remove_spectral_norm, remove_weight_norm)"
    return f"{name} is made of other tensors: remove {remedy}"


def carry_hooks(old: nn.Module, new: nn.Module) -> None:
    """Hands the hooks of calls on; the handles that remove them still do."""
    for hooks in OF_CALLS:
        setattr(new, hooks, getattr(old, hooks))


def shared(module: nn.Module, layer: nn.RNNBase) -> str | None:
    """A weight of the layer that another module inside the given one holds too."""
    own = {id(parameter): name for name, parameter in layer.named_parameters(recurse=False)}
    for path, other in module.named_modules():
        for name, parameter in other.named_parameters(recurse=False) if other is not layer else ():
            if id(parameter) in own:
                return f"{own[id(parameter)]} is also {path}.{name}: convert before they are tied"
    return None
