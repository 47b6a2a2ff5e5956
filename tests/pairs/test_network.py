"""Encoder and decoder as networks on numpy's arrays give what torch's modules give, of every cell."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from pair_models import OPTIONS, V_T, built, problem

import gatework as gw
from gatework.network import Network
from gatework.pairs.network import CARRIED, START, decoder_network, encoder_network
from gatework.pairs.options import Options
from gatework.runtime.hypotheses import carried
from gatework.runtime.steps import Call, runner

LEAST = 3e-6  # of float32 beside torch's float32


def run(network: Network, model: torch.nn.Module, values: dict[str, Any], before: Any = None) -> dict[str, np.ndarray]:
    """The arrays that a network gives of a model's weights, and its states after the last step."""
    read = Network.from_json(json.loads(json.dumps(network.to_json(), allow_nan=False)))
    assert read == network
    weights = {name: value.numpy() for name, value in model.state_dict().items() if name in network.weights}
    B = values["lengths"].size
    after = {name: np.empty((slots, B, size), np.float32) for name, (slots, size) in network.states.items()}
    call = Call(dict(values), before, after)
    for step in network.steps:
        call.values[step.y] = runner(step, weights)(call)
    return {port.name: call.values[port.name] for port in network.outputs} | after


def check(options: Options, model: gw.EncoderDecoder) -> None:
    source, lengths, targets = problem()
    whole = torch.from_numpy(source), torch.from_numpy(lengths)
    with torch.no_grad():
        logits, shares = model.logits(whole, torch.from_numpy(targets))
    encoded = run(encoder_network(options), model, {"source": source, "lengths": lengths})
    starts = {name.removeprefix(START): value for name, value in encoded.items() if name.startswith(START)}
    network = decoder_network(options, V_T)
    tokens = np.concatenate([np.full((1, 3), V_T), targets[:-1]])
    given = {"memory": encoded["memory"], "lengths": lengths} | carried(network, encoded["memory"])
    found = []
    for piece in np.split(tokens, len(tokens)) if network.inputs[0].shape[0] == 1 else [tokens]:
        made = run(network, model, given | {"tokens": piece}, starts)
        given |= {name: made[CARRIED[name]] for name in CARRIED if CARRIED[name] in made}
        starts = {name: made[name] for name in starts}
        found.append(made)
    log_p = np.concatenate([made["log_p"] for made in found])
    np.testing.assert_allclose(log_p, logits.log_softmax(-1), atol=LEAST)
    if shares is not None:
        np.testing.assert_allclose(np.concatenate([made["attention"] for made in found]), shares, atol=LEAST)


@pytest.mark.parametrize("chosen", OPTIONS)
def test_the_networks_are_those_of_torch(chosen: str) -> None:
    check(*built(**OPTIONS[chosen]))


@pytest.mark.parametrize("cell", gw.cells)
def test_the_networks_of_each_cell_are_those_of_torch(cell: str) -> None:
    check(*built(cell=cell, bidirectional=False))
