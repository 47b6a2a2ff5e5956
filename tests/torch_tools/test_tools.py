"""Every tool of the table, on every layer: outputs, states and gradients are those of the bare layer."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch._dynamo.exc import Unsupported

from gatework.errors import InputError
from torch_tools.frame import LAYERS, VENDOR, Case, H, I
from torch_tools.table import TOOLS

pytestmark = [  # torch's own
    pytest.mark.filterwarnings("ignore:`torch.jit..*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:Anomaly Detection"),
    pytest.mark.filterwarnings("ignore:The tensor attributes self.module._flat_weights"),
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated"),
]

EVERY_TOOL = pytest.mark.parametrize("tool", TOOLS)


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()


@EVERY_TOOL
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_takes_the_tool_or_says_why_not(tool, layer):
    case, refusal = Case(LAYERS[layer]()), TOOLS[tool].refused
    with pytest.raises(InputError, match=refusal) if refusal else nullcontext():
        TOOLS[tool].run(case)


@EVERY_TOOL
@pytest.mark.parametrize("layer", VENDOR)
def test_the_engine_torch_takes_the_tool_or_says_why_not(tool, layer):
    case, refusal = Case(VENDOR[layer]()), TOOLS[tool].vendor_refuses or TOOLS[tool].refused
    error = Unsupported if tool == "compiled" else InputError  # torch's own, in which the line of ours stands
    with pytest.raises(error, match=refusal) if refusal else nullcontext():
        TOOLS[tool].run(case)


@EVERY_TOOL
def test_what_the_table_says_of_torchs_layer_is_so(tool):
    case, failure = Case(nn.LSTM(I, H, 2, bidirectional=True)), TOOLS[tool].torch_fails
    with pytest.raises(Exception, match=failure) if failure else nullcontext():
        TOOLS[tool].run(case)


def test_a_wrong_result_is_noticed():
    case = Case(LAYERS["gw.LSTM 1"]())
    with torch.no_grad():
        case.layer.l0.U_f[0, 0] += 1e-2
    with pytest.raises(AssertionError):
        case.holds()
