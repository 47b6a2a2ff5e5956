"""A network as JSON and back; its states and weights are those of the layers that it describes."""

import json
import re

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


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"steps": [{"op": "System"}]}, "a step is 'System'; expected one of Layer, Embedding, "),
        ({"steps": [{"op": "Linear", "x": "x"}]}, "Linear lacks 'weight'"),
        ({"steps": [{"op": "Tanh", "x": "x", "y": "y", "z": 1}]}, "Tanh has 'z', which is not known"),
        ({"steps": [{"op": "Tanh", "x": "x", "y": True}]}, "Tanh has y = True, of another type"),
        ({"steps": [{"op": "Tanh", "x": "z", "y": "y"}]}, "a step Tanh reads 'z', which nothing before it makes"),
        ({"outputs": [{"name": "mamory", "shape": ["T"], "dtype": "int64"}]}, "it gives 'mamory', which no step makes"),
        ({"outputs": [{"name": "l0", "shape": ["U"], "dtype": "int64"}]}, "l0 has a side 'U'; expected a number or"),
        ({"outputs": [{"name": "l0", "shape": ["T"], "dtype": "int65"}]}, "l0 is of type 'int65'; expected float32, "),
        ({"inputs": 3}, "'int' object is not iterable"),
        ({"layers": []}, "it has 'layers', which is not known"),
    ],
)
def test_a_damaged_description_is_named(damage: dict[str, object], message: str) -> None:
    _, network = described("gru")
    with pytest.raises(ValueError, match=f"its network: {re.escape(message)}"):
        Network.from_json(network.to_json() | damage)
