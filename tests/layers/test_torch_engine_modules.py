"""The engine "torch" beside the modules that it took its weights from: outputs, states and every gradient."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gatework as gw
from numerics import all_same, gradients, random, weighed

T, B, I, H = 7, 4, 3, 5
MODULES = {
    "LSTM": nn.LSTM,
    "LSTM without biases": partial(nn.LSTM, bias=False),
    "LSTM with projection": partial(nn.LSTM, proj_size=2),
    "GRU": nn.GRU,
    "GRU without biases": partial(nn.GRU, bias=False),
    "RNN": nn.RNN,
    "RNN, relu": partial(nn.RNN, nonlinearity="relu"),
}


def their_call(module, x, state, lengths):
    if lengths is None:
        return module(x, state)
    packed, state = module(pack_padded_sequence(x, lengths, enforce_sorted=False), state)
    return pad_packed_sequence(packed, total_length=len(x))[0], state


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def by_torchs_names(layer, found):
    """Gradients by the layer's parameters, in the places that torch's module has for those."""
    holder = copy.deepcopy(layer)
    with torch.no_grad():
        for name, parameter in holder.named_parameters():
            parameter.copy_(found[name])
    return {name: value.detach() for name, value in holder.to_torch().named_parameters()}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 7, 1, 5])], ids=["whole", "lengths"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_converted_module_answers_as_it_did(name, lengths, dtype):
    theirs = MODULES[name](I, H, 2, bidirectional=True, dtype=dtype)
    ours = gw.convert(copy.deepcopy(theirs), engine="torch")
    x = random(T, B, I, dtype=dtype, requires_grad=True)
    sizes = (2, H) if name == "LSTM with projection" else (H, H)
    states = tuple(
        random(4, B, size, dtype=dtype, requires_grad=True) for size in sizes[: 1 + isinstance(theirs, nn.LSTM)]
    )
    state = states if isinstance(theirs, nn.LSTM) else states[0]

    expected, last = their_call(theirs, x, state, lengths)
    output, new = ours(x, state, lengths=lengths)
    all_same((output, *parts(new)), (expected, *parts(last)))

    wanted = gradients(theirs, weighed(expected, *parts(last)), x, *states)
    found = gradients(ours, weighed(output, *parts(new)), x, *states)
    inputs = [str(k) for k in range(1 + len(states))]
    placed = {key: found[key] for key in inputs} | by_torchs_names(ours, found)
    for key in [key for key in wanted if key.startswith("bias_hh")]:  # where torch's two biases are one of ours
        placed[key] = torch.where(placed[key] == 0, placed[key.replace("_hh_", "_ih_")], placed[key])
    assert placed.keys() == wanted.keys()
    all_same({key: placed[key] for key in wanted}, wanted)
