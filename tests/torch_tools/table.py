"""The tools of torch that layers are used with: a row each, in the order of docs/layers.md."""

import copy
import io
import itertools
import pickle
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize, prune

from torch_tools.frame import Case, Table

table = Table()
tool, TOOLS = table.tool, table.rows


# -- compiled


@tool("`torch.compile(fullgraph=True)`", torch_fails="Dynamo does not support RNN, GRU, or LSTM")
def compiled(case: Case) -> None:
    case.holds(torch.compile(case.layer, fullgraph=True, backend="aot_eager"))


# -- copies and files


@tool("`copy.deepcopy`")
def deepcopy(case: Case) -> None:
    case.holds(copy.deepcopy(case.layer))


@tool("`pickle`")
def pickled(case: Case) -> None:
    case.holds(pickle.loads(pickle.dumps(case.layer)))


@tool("`torch.save` of a layer, `torch.load`")
def saved(case: Case) -> None:
    torch.save(case.layer, file := io.BytesIO())
    file.seek(0)
    case.holds(torch.load(file, weights_only=False))


# -- weights made of others, brought in, or watched


@tool("`torch.func.functional_call`")
def functional(case: Case) -> None:
    given = {name: p.detach().clone().requires_grad_() for name, p in case.layer.named_parameters()}
    with torch.no_grad():
        for parameter in case.layer.parameters():
            parameter.zero_()
    case.holds_call(lambda x, **options: functional_call(case.layer, given, (x,), options), given)


@tool("`nn.utils.prune`")
def pruned(case: Case) -> None:
    for place, name in case.matrices:
        prune.l1_unstructured(place, name, 0.5)
    case.holds_made(lambda place, name: getattr(place, f"{name}_orig") * getattr(place, f"{name}_mask"))


@tool("`nn.utils.spectral_norm`")
def spectral_norm_of_old(case: Case) -> None:
    for place, name in case.matrices:
        nn.utils.spectral_norm(place, name).eval()  # in training each call moves u and v

    def made(place: nn.Module, name: str) -> Tensor:
        matrix, u, v = (getattr(place, f"{name}_{part}") for part in ("orig", "u", "v"))
        return matrix / torch.dot(u, torch.mv(matrix, v))

    case.holds_made(made)


@tool("`nn.utils.weight_norm`")
def weight_norm_of_old(case: Case) -> None:
    for place, name in case.matrices:
        nn.utils.weight_norm(place, name)
    case.holds_made(lambda place, name: torch._weight_norm(getattr(place, f"{name}_v"), getattr(place, f"{name}_g"), 0))


class Doubled(nn.Module):
    def forward(self, matrix: Tensor) -> Tensor:
        return 2 * matrix


@tool("`nn.utils.parametrize`")
def parametrised(case: Case) -> None:
    for place, name in case.matrices:
        parametrize.register_parametrization(place, name, Doubled())
    case.holds_made(lambda place, name: 2 * place.parametrizations[name].original)


@tool("`parametrizations.spectral_norm`, `weight_norm`, `orthogonal`")
def normalised(case: Case) -> None:
    norms = (parametrizations.spectral_norm, parametrizations.weight_norm, parametrizations.orthogonal)
    for (place, name), norm in zip(case.matrices, itertools.cycle(norms), strict=False):
        norm(place, name)
    case.layer.eval()
    case.holds_made(getattr)


def take_away(place: nn.Module) -> None:
    """Leaves empty weights on the meta device in a module."""
    for name, parameter in list(place.named_parameters(recurse=False)):
        setattr(place, name, nn.Parameter(parameter.detach().to("meta")))


@tool("hooks that bring weights in and take them away", says="also hooks that replace `forward`, as accelerate's do")
def offloaded(case: Case) -> None:
    kept = dict(case.layer.named_parameters())

    def bring(place: nn.Module, names: dict[str, nn.Parameter]) -> None:
        for name, parameter in names.items():
            setattr(place, name, parameter)

    for k, place in enumerate(case.places):
        own = dict(place.named_parameters())
        if k % 2:
            place.register_forward_pre_hook(lambda place, _args, own=own: bring(place, own))
            place.register_forward_hook(lambda place, _args, _output: take_away(place))
        else:
            place.forward = replaced_forward(place, place.forward, lambda place, own=own: bring(place, own))
        take_away(place)
    case.holds_call(case.layer, kept)
    assert all(parameter.is_meta for parameter in case.layer.parameters())


def replaced_forward(place: nn.Module, forward: Callable, bring: Callable[[nn.Module], None]) -> Callable:
    def run(*args, **options):
        bring(place)
        try:
            return forward(*args, **options)
        finally:
            take_away(place)

    return run


@tool("full backward hooks")
def backward_hooks(case: Case) -> None:
    seen = Counter()
    for name, module in case.layer.named_modules():
        module.register_full_backward_pre_hook(lambda _module, _gradients, name=name: seen.update([name]))
        module.register_full_backward_hook(lambda _module, _to, _gradients, name=name: seen.update([name]))
    case.holds()
    assert seen == Counter({name: 2 for name, _ in case.layer.named_modules()})
