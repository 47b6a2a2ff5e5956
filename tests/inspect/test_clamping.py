"""A unit held at a value: what the network says without it."""

from pathlib import Path

import pytest
import torch
from inspect_toys import trained, write_code

import gatework as gw
from gatework.engines import Arguments, reference
from gatework.inspect.clamping import Clamp, clamped, costs
from gatework.notation.gates import gates
from gatework.text.run import Run
from numerics import same


def held_by_hand(layer: gw.Recurrent, x: torch.Tensor, name: str, unit: int, value: float) -> torch.Tensor:
    """Step by step with the equations changed so that one unit is fixed after its line."""
    lines = []
    for line in layer.equations.splitlines():
        lines.append(line)
        if line.split("=")[0].strip() == name:
            head, tail = line.split("=", 1)
            lines[-1] = f"{head}= keep * ({tail}) + held"
    H = layer.hidden_size
    program = gw.Cell("held", "\n".join(lines), output=layer.cell.output).program
    keep, held = torch.ones(H), torch.zeros(H)
    keep[unit], held[unit] = 0.0, value
    start = layer.start(0, "", x.shape[1])
    params = dict(layer.l0.named_parameters()) | {"keep": keep, "held": held}
    return reference.run(Arguments(program, params, x, start))[0]


@pytest.mark.parametrize("name", ["h", "c", "f", "g"])
def test_a_held_unit_is_that_of_equations_that_hold_it(name: str) -> None:
    layer, x = gw.Recurrent("lstm", 3, 4), torch.randn(9, 2, 3)
    with torch.no_grad():
        output = clamped(layer, x, [None, Clamp(f"l0.{name}", 2, 0.7), Clamp(f"l0.{name}", 0, -0.3)])
        same(output[:, :2], layer(x)[0])
        same(output[:, 2:4], held_by_hand(layer, x, name, 2, 0.7))
        same(output[:, 4:], held_by_hand(layer, x, name, 0, -0.3))


def test_upper_layers_read_what_is_left() -> None:
    layer, x = gw.Recurrent("gru", 4, 4, 2, residual=True), torch.randn(6, 1, 4)
    with torch.no_grad():
        output = clamped(layer, x, [Clamp("l0.h", 1, 0.2), Clamp("l1.h", 3, -0.4), None])
        same(output[:, 2:], layer(x)[0])
        assert not torch.allclose(output[:, :1], output[:, 2:])
        lower = gw.Recurrent("gru", 4, 4)
        lower.l0.load_state_dict(layer.l0.state_dict())
        same(output[:, 1, 3], lower(x)[0][:, 0, 3] - 0.4)  # residual: held plus what comes from below


def test_a_unit_that_nobody_listens_to_costs_nothing(tmp_path: Path) -> None:
    model = Run.open(trained(tmp_path / "run", write_code(tmp_path))).model()
    with torch.no_grad():
        model.output.weight[:, 5] = 0
        for name in ("U_i", "U_f", "U_g", "U_o"):
            getattr(model.recurrent.l0, name)[:, 5] = 0
    ids = torch.randint(1, 20, (300,))
    free, dear = costs(model, ids, [Clamp("l0.h", 5, 3.0), Clamp("l0.h", 4, 3.0)])
    assert free == pytest.approx(0, abs=1e-6)
    assert abs(dear) > 1e-4


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("lstm", ["i", "f", "o"]), ("gru", ["r", "z"]), ("rnn", []), ("cifg", ["i", "f", "o"])],
)
def test_gates_are_known_by_how_they_are_computed(cell: str, expected: list[str]) -> None:
    assert sorted(gates(gw.cells[cell].program)) == sorted(expected)


@pytest.mark.parametrize("cell", list(gw.cells))
def test_gates_stay_between_0_and_1(cell: str) -> None:
    layer = gw.Recurrent(cell, 5, 5)
    if named := gates(layer.program):
        with torch.no_grad(), gw.record(layer, *named) as trace:
            layer(10 * torch.randn(20, 3, 5))
        assert all(float(value.min()) >= -1e-5 and float(value.max()) <= 1 + 1e-5 for value in trace.values())
