"""LSTM, GRU and RNN: layers whose cell is an operator of ONNX, both directions as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatework.network.steps import Direction, Layer
from gatework.onnx.graph import Array, Graph
from gatework.onnx.recognise import Operator, Roles


class Packed:
    """The weights of one direction, gate under gate as the operator has them."""

    def __init__(self, operator: Operator, roles: Roles, direction: Direction, weights: Mapping[str, Array]) -> None:
        self.operator, self.roles = operator, roles
        self.direction, self.weights = direction, weights

    @property
    def size(self) -> int:
        return self.direction.sizes["H"]

    def of(self, name: str) -> Array:
        """What plays the role of a parameter, a vector [H] or a matrix."""
        factor, parameter = self.roles[name]
        if not isinstance(parameter, str):
            return np.full(self.size, factor * parameter, np.float32)
        return factor * self.weights[self.direction.weights[parameter]]

    def stacked(self, kind: str, gates: str = "") -> Array:
        """The matrices or vectors of a kind, W, U, b or p, of gate under gate."""
        return np.concatenate([self.of(f"{kind}_{gate}") for gate in gates or self.operator.gates])

    def parts(self) -> dict[str, Array]:
        """The operator's inputs: W, R, B (biases of the products with x, then of those with h) and P."""
        operator, H = self.operator, self.size
        of_h = np.zeros(len(operator.gates) * H, np.float32)
        if operator.hidden_bias:
            of_h[-H:] = self.of(operator.hidden_bias)
        parts = {"W": self.stacked("W"), "R": self.stacked("U"), "B": np.concatenate([self.stacked("b"), of_h])}
        return parts | ({"P": self.stacked("p", operator.peepholes)} if operator.peepholes else {})


def run(
    graph: Graph,
    layer: Layer,
    found: tuple[Operator, Roles],
    weights: Mapping[str, Array],
    x: str,
    state: Sequence[str],
    lengths: str | None,
) -> tuple[str, list[str]]:
    """Output [T,B,D*H] and final states [D,B,H] of x [T,B,I]; state: as these, or none where all start at 0."""
    operator, place = found[0], layer.y
    packed = [Packed(*found, direction, weights) for direction in layer.directions]
    D, H = len(packed), packed[0].size
    stacked = _stacked(packed)
    W, R = (graph.constant(stacked[part], f"{place}.{part}") for part in "WR")
    B, P = (graph.constant(stacked[part], f"{place}.{part}") if stacked[part].any() else "" for part in "BP")
    steps = "" if lengths is None else graph.node("Cast", lengths, to=6)  # int32
    inputs = [x, W, R, B, steps, *(state or [""] * (1 + (operator.name == "LSTM"))), P]
    while not inputs[-1]:
        inputs.pop()
    names = [f"{place}.Y", f"{place}.Y_h", f"{place}.Y_c"][: 2 + (operator.name == "LSTM")]
    Y, *final = graph.nodes(operator.name, names, *inputs, **_attributes(operator, D, H))
    turned = graph.node("Transpose", Y, perm=[0, 2, 1, 3])  # [T,D,B,H] to [T,B,D,H]
    return graph.node("Reshape", turned, [0, 0, D * H]), final


def _stacked(packed: Sequence[Packed]) -> dict[str, Array]:
    """The operator's inputs, of direction above direction; P is 0 where it has none."""
    parts = [each.parts() for each in packed]
    return {name: np.stack([own[name] for own in parts]) if name in parts[0] else np.zeros(1) for name in "WRBP"}


def _attributes(operator: Operator, D: int, H: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"hidden_size": H}
    if D == 2:
        attributes["direction"] = "bidirectional"
    if operator.activation:
        attributes["activations"] = [operator.activation] * D
    if operator.linear_before_reset:
        attributes["linear_before_reset"] = 1
    return attributes
