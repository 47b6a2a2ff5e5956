"""Rows for what torch does with modules and their weights: files, norms, hooks, optimisers."""

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
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode

from numerics import all_same, same, weighed
from torch_tools.frame import WATCHED, B, Case, T, Table, parts

table = Table()
tool = table.tool


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


@tool("`torch.save` of a state, `torch.load` as it is by default")
def saved_state(case: Case) -> None:
    _, state = case.layer(case.x.detach(), **case.options)
    torch.save(state, file := io.BytesIO())
    file.seek(0)
    loaded = torch.load(file)
    all_same(parts(loaded), parts(state))
    case.holds_call(*going_on(case, loaded, state))


def going_on(case: Case, *states: object) -> tuple[Callable, dict[str, Tensor]]:
    """A call that checks that the layer goes on alike from some states."""

    def call(x: Tensor, **options: Tensor) -> tuple:
        first, *others = (case.layer(x, state, **options)[0] for state in states)
        for other in others:
            same(other, first)
        return case.layer(x, **options)

    return call, dict(case.layer.named_parameters())


@tool("`tree_map` and other trees of `torch.utils._pytree`")
def tree(case: Case) -> None:
    def twice(x: Tensor, **options: Tensor) -> tuple:
        return tree_map(lambda value: 2 * (value / 2), case.layer(x, **options))

    case.holds_call(twice, dict(case.layer.named_parameters()))


@tool('`load_state_dict(assign=True)` into a layer on "meta"')
def assigned(case: Case) -> None:
    planned = copy.deepcopy(case.layer).to("meta")
    planned.load_state_dict(copy.deepcopy(case.layer.state_dict()), assign=True)
    case.holds(planned.requires_grad_())


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


@tool("forward hooks and pre-hooks")
def forward_hooks(case: Case) -> None:
    seen = Counter()
    for name, module in case.layer.named_modules():
        module.register_forward_pre_hook(lambda _module, _args, name=name: seen.update([name]))
        module.register_forward_hook(lambda _module, _args, _output, name=name: seen.update([name]))
    case.holds()
    assert seen == Counter({name: 2 for name, _ in case.layer.named_modules()})


# -- trained


@tool("optimisers, parameter groups, `clip_grad_norm_`")
def optimised(case: Case) -> None:
    for layer in (case.layer, case.bare):
        matrices = [p for p in layer.parameters() if p.dim() == 2]
        vectors = [p for p in layer.parameters() if p.dim() == 1]
        optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors}], lr=0.1)
        output, state = layer(case.x.detach(), **case.options)
        weighed(output, *parts(state)).backward()
        norm = nn.utils.clip_grad_norm_(layer.parameters(), 0.5)
        assert norm > 0.5
        optimiser.step()
        optimiser.zero_grad()
    case.holds()


@tool("`parameters_to_vector`, `vector_to_parameters`")
def as_vector(case: Case) -> None:
    vector = nn.utils.parameters_to_vector(case.layer.parameters())
    nn.utils.vector_to_parameters(torch.zeros_like(vector), case.layer.parameters())
    nn.utils.vector_to_parameters(vector.detach(), case.layer.parameters())
    case.holds()


@tool("`swa_utils.AveragedModel`")
def averaged(case: Case) -> None:
    average = AveragedModel(case.layer)
    average.update_parameters(case.layer)
    case.holds(average)


def replicated(module: nn.Module) -> nn.Module:
    """A module as nn.DataParallel copies it to a device: what were its parameters are tensors."""
    replica = module._replicate_for_data_parallel()
    for name, parameter in module._parameters.items():
        setattr(replica, name, None if parameter is None else parameter.clone())
    for name, child in module._modules.items():
        replica._modules[name] = replicated(child)
    return replica


@tool("`nn.DataParallel`", says="its copies, made on the CPU")
def data_parallel(case: Case) -> None:
    case.holds(nn.DataParallel(case.layer))
    case.holds_call(replicated(case.layer), dict(case.layer.named_parameters()))


# -- measured and read


@tool("`FlopCounterMode`", vendor_refuses=WATCHED, torch_fails="counts nothing")
def flops(case: Case) -> None:
    def counted(x: Tensor, **options: Tensor) -> tuple:
        with FlopCounterMode(display=False) as counter:
            result = case.layer(x, **options)
        forward = sum(2 * T * B * p.numel() for p in case.layer.parameters() if p.dim() == 2)
        assert counter.get_total_flops(), "counts nothing"
        assert counter.get_total_flops() == forward
        return result

    case.holds_call(counted, dict(case.layer.named_parameters()))


@tool("`torch.profiler`")
def profiled(case: Case) -> None:
    with torch.profiler.profile() as profile:
        case.holds()
    assert profile.key_averages()


class Around(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor):
        return self.module(x)


SOURCE = "^torch.jit.script reads Python's source"


@tool("`torch.jit.script`", says="an error that names `torch.compile`", refused=SOURCE)
def scripted(case: Case) -> None:
    case.holds(torch.jit.script(Around(case.layer)))
