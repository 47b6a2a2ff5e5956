"""Encoder and decoder as networks on numpy's arrays give what torch's modules give, of every cell."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import gatework as gw
from gatework.network import Network
from gatework.pairs.network import START, decoder_network, encoder_network
from gatework.pairs.options import Options
from gatework.runtime.steps import Call, runner

V_S, V_T = 7, 5
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dot": {"attention": "dot"},
    "additive, heads": {"attention": "additive", "heads": 2},
    "none": {"attention": "none"},
    "one way, two layers": {"bidirectional": False, "layers": 2, "recurrent": {"residual": False}},
    "tied": {"tied": True, "embedding": 8},
    "projected": {"recurrent": {"proj_size": 4}, "layers": 2},
    "learned, zoneout": {"recurrent": {"initial": "learned", "zoneout": {"h": 0.2}}},
}


def built(**chosen: Any) -> tuple[Options, gw.EncoderDecoder]:
    options = Options(**{"hidden": 8, "layers": 1, "embedding": 8, **chosen})
    torch.manual_seed(0)
    model = gw.EncoderDecoder(
        V_S,
        V_T,
        options.hidden or 0,
        cell=options.cell,
        num_layers=options.layers or 0,
        bidirectional=options.bidirectional,
        embedding=options.embedding,
        attention=options.attention,
        heads=options.heads,
        tied=options.tied,
        recurrent=options.recurrent,
    ).eval()
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.4)
    return options, model


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
    rng = np.random.default_rng(0)
    lengths = np.array([6, 1, 3])
    source = rng.integers(0, V_S, (6, 3))
    targets = rng.integers(0, V_T, (4, 3))
    whole = torch.from_numpy(source), torch.from_numpy(lengths)
    with torch.no_grad():
        logits, shares = model.logits(whole, torch.from_numpy(targets))
    encoded = run(encoder_network(options), model, {"source": source, "lengths": lengths})
    memory = next(iter(encoded.values()))
    starts = {name.removeprefix(START): value for name, value in encoded.items() if name.startswith(START)}
    tokens = np.concatenate([np.full((1, 3), V_T), targets[:-1]])
    given = {"tokens": tokens, "memory": memory, "lengths": lengths}
    found = run(decoder_network(options, V_T), model, given, starts)
    np.testing.assert_allclose(found["log_p"], logits.log_softmax(-1), atol=2e-6)
    if shares is not None:
        np.testing.assert_allclose(found["attention"], shares, atol=2e-6)


@pytest.mark.parametrize("chosen", OPTIONS)
def test_the_networks_are_those_of_torch(chosen: str) -> None:
    check(*built(**OPTIONS[chosen]))


@pytest.mark.parametrize("cell", gw.cells)
def test_the_networks_of_each_cell_are_those_of_torch(cell: str) -> None:
    check(*built(cell=cell, bidirectional=False))
