"""How long units remember, and how far back a prediction is moved by what was read."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from inspect_toys import code, trained, write_code

import gatework as gw
from gatework.inspect.activity import Activity, watched
from gatework.inspect.collect import Read
from gatework.inspect.memory import flow, flow_json, half_lives, lives
from gatework.inspect.saturation import Saturation


def test_a_constant_factor_has_the_half_life_of_its_logarithm() -> None:
    life = half_lives(torch.tensor([[0.9, 0.5, 1.0]]).repeat(500, 1))
    assert life.mean.tolist() == pytest.approx([math.log(0.5) / math.log(0.9), 1.0, math.inf])
    assert life.median.tolist() == [7, 1, 251]
    assert life.censored.tolist() == [False, False, True]


def test_rare_and_complete_forgetting_shows_in_the_median() -> None:
    factors = torch.ones(1000, 1)
    factors[99::100] = 0.001
    life = half_lives(factors)
    assert life.mean.item() == pytest.approx(100 * math.log(0.5) / math.log(0.001))
    assert 40 <= life.median.item() <= 60


def run_along(layer: gw.Recurrent, T: int = 200) -> tuple[torch.Tensor, Activity]:
    """Random input [T,1,I], and all that the cell computed on it."""
    x = torch.randn(T, 1, layer.input_size)
    with torch.no_grad(), gw.record(layer, *layer.program.names) as trace:
        layer(x)
    return x, Activity({key: value[:, 0] for key, value in trace.items()}, torch.zeros(0), Saturation())


def test_a_cell_without_a_direct_path_is_nudged() -> None:
    layer = gw.Recurrent("rnn", 3, 3)
    with torch.no_grad():
        layer.l0.W_h.zero_()
        layer.l0.b_h.zero_()
        layer.l0.U_h.copy_(torch.diag(torch.tensor([0.0, 0.4, 1.0])))
    x, activity = run_along(layer)
    found = lives(layer, activity, lambda: x)
    assert list(found) == ["l0.h"]
    first, second, third = found["l0.h"].median.tolist()
    assert (first, second) == (1, 1)
    assert third > 1


def test_states_with_a_direct_path_have_half_lives_by_their_equations(tmp_path: Path) -> None:
    text = write_code(tmp_path)
    read = Read.of(trained(tmp_path / "run", text), str(text), lambda *_: None)
    found = lives(read.model.recurrent, read.activity, read.inputs)
    assert list(found) == ["l0.c"]
    forget = watched(read.model, read.ids, ["f"]).values["l0.f"]
    assert found["l0.c"].mean.tolist() == pytest.approx((math.log(0.5) / forget.double().log().mean(0)).tolist())


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "peephole_lstm"])
def test_the_flow_is_the_gradient_of_the_prediction_by_what_was_read(tmp_path: Path, cell: str, monkeypatch) -> None:
    monkeypatch.setattr("gatework.inspect.memory.POSITIONS", 1)
    monkeypatch.setattr("gatework.inspect.memory.LAGS", 12)
    text = write_code(tmp_path, lines=5)
    read = Read.of(trained(tmp_path / "run", text, cell), str(text), lambda *_: None)
    told = flow(read.model, read.ids, read.activity)
    x = read.inputs()[:13].clone().requires_grad_()
    output, _ = read.model.recurrent(x)
    log_p = read.model.output(output)[-1, 0].log_softmax(-1)[read.ids[13]]
    (by_x,) = torch.autograd.grad(log_p, x)
    norms = by_x[:, 0].norm(dim=-1).flip(0)[:12]
    assert told is not None
    assert told["median"] == pytest.approx((norms / norms[0]).tolist(), rel=1e-3)
    assert (told["gates"] is None) == (cell == "rnn")


def test_shares_are_lags_that_hold_so_much_of_the_sum() -> None:
    norms = torch.tensor([4.0, 3.0, 2.0, 1.0])[:, None].repeat(1, 5)
    assert flow_json(norms, {})["share"] == {"50": 2, "90": 3, "99": 4}


def test_gates_are_counted_where_they_are_shut_or_open() -> None:
    counted = Saturation()
    counted.add("l1.f", torch.tensor([[0.05, 0.5], [0.95, 0.5]]))
    counted.add("l1.f", torch.tensor([[0.99, 0.5], [0.99, 0.02]]))
    assert counted.to_json() == [{"name": "f", "layer": 1, "left": [0.25, 0.25], "right": [0.75, 0.0]}]


def test_reading_in_pieces_is_reading_at_once(tmp_path: Path, monkeypatch) -> None:
    text = write_code(tmp_path)
    read = Read.of(trained(tmp_path / "run", text), str(text), lambda *_: None)
    monkeypatch.setattr("gatework.inspect.activity.STEPS", 77)
    pieces = watched(read.model, read.ids, ["h", "c"], ["f"])
    torch.testing.assert_close(pieces.values["l0.c"], read.activity.values["l0.c"])
    torch.testing.assert_close(pieces.log_p, read.activity.log_p)
    assert len(pieces.log_p) == len(code()) - 1
    assert [each["name"] for each in pieces.saturation.to_json()] == ["f"]
    assert np.allclose(pieces.saturation.to_json()[0]["left"], read.activity.saturation.to_json()[1]["left"])
