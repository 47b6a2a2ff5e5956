"""A network as JSON and back; its states and weights are those of the layers that it describes."""

import json

import pytest

import gatework as gw
from gatework.layers.description import network_of, weights_of
from gatework.network import Network


def described(cell: str, **options: object) -> tuple[gw.Recurrent, Network]:
    layer = gw.Recurrent(cell, 4, 4, **options)  # type: ignore[arg-type]
    return layer, network_of(layer)


@pytest.mark.parametrize("cell", gw.cells)
def test_a_network_comes_back_from_json_with_the_layers_states_and_weights(cell: str) -> None:
    layer, network = described(cell, num_layers=2, residual=True, initial="learned")
    read = Network.from_json(json.loads(json.dumps(network.to_json(), allow_nan=False)))
    assert read == network
    assert read.states == layer.state_shapes
    assert read.weights == set(weights_of(layer))


def test_directions_stand_side_by_side_in_the_states() -> None:
    layer, network = described("lstm", num_layers=2, bidirectional=True)
    assert [(step.slot, len(step.directions)) for step in network.layers] == [(0, 2), (2, 2)]
    assert network.states == layer.state_shapes == {"h": (4, 4), "c": (4, 4)}


def test_zoneout_stands_still_by_its_expectation() -> None:
    _, network = described("lstm", zoneout={"h": 0.25, "c": 0.0})
    (direction,) = network.layers[0].directions
    assert direction.inputs == {"zoneout h": 0.75}


@pytest.mark.parametrize("damage", [{"steps": [{"op": "System"}]}, {"inputs": 3}, {"steps": [{"op": "Linear"}]}])
def test_a_damaged_description_is_named(damage: dict[str, object]) -> None:
    _, network = described("gru")
    with pytest.raises(ValueError, match="the description of a network is damaged"):
        Network.from_json(network.to_json() | damage)
