"""The tools of torch that layers are used with: a row each, in the order of docs/layers.md."""

import copy
import io
import pickle

import torch
from torch.func import functional_call

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


# -- weights made of others


@tool("`torch.func.functional_call`")
def functional(case: Case) -> None:
    given = {name: p.detach().clone().requires_grad_() for name, p in case.layer.named_parameters()}
    with torch.no_grad():
        for parameter in case.layer.parameters():
            parameter.zero_()
    case.holds_call(lambda x, **options: functional_call(case.layer, given, (x,), options), given)
