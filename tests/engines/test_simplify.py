"""Derivatives of sigmoid and tanh are one operation each, and vectors are added where products are done ahead."""

from collections import Counter

import pytest
import torch

import gatework as gw
from gatework.cells import cells
from gatework.lowering.simplify import fuse_derivatives, multiply_ahead
from gatework.notation.adjoint import adjoint
from gatework.verify.comparison import compare


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm"])
def test_every_gate_has_its_derivative_as_one_operation(cell):
    program = cells[cell].program
    functions = Counter(node.op for node in program.nodes)
    fused = Counter(node.op for node in fuse_derivatives(adjoint(program).nodes))
    assert (fused["sigmoid_back"], fused["tanh_back"]) == (functions["sigmoid"], functions["tanh"])


ADDED = """
z = sigmoid(W_z @ x + U_z @ h + b_z)
r = sigmoid((b_r + W_r @ x) + U_r @ h)
m = W_n @ x + b_n
n = tanh(m * r + U_n @ h)
h = (1 - z) * n + z * h + 0.1 * (W_p @ x)
"""


def test_a_vector_is_added_ahead_with_the_product_beside_it():
    program = gw.Cell("own", ADDED).program
    nodes, ahead = multiply_ahead(program.nodes, [state.node for state in program.states])
    assert {(one.matrix, one.vector) for one in ahead.values()} == {
        ("W_z", "b_z"), ("W_r", "b_r"), ("W_n", "b_n"), ("W_p", "")
    }  # fmt: skip
    read = {arg for node in nodes for arg in node.args}
    assert all(nodes[index].op == "product" and index in read for index in ahead)


def test_a_sum_that_is_read_or_stored_on_its_own_keeps_its_vector():
    program = gw.Cell("own", "u = W @ x + U @ h\nv = u + b\nh = tanh(v) * u").program
    assert [one.vector for one in multiply_ahead(program.nodes, [])[1].values()] == [""]
    program = gw.Cell("own", "u = W @ x + U @ h\nv = u + b\nh = tanh(v)").program
    assert [one.vector for one in multiply_ahead(program.nodes, [])[1].values()] == ["b"]
    assert [one.vector for one in multiply_ahead(program.nodes, [program.names["u"]])[1].values()] == [""]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_vectors_added_ahead_give_what_the_reference_gives(dtype):
    torch.manual_seed(0)
    layer = gw.Recurrent(gw.Cell("own", ADDED), 5, 19, engine="native", dtype=dtype)
    reference = gw.Recurrent(gw.Cell("own", ADDED), 5, 19, engine="reference", dtype=torch.float64)
    for weights in layer.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(7, 2, 5, dtype=dtype)
    with gw.record(layer, "m", "z") as actual, gw.record(reference, "m", "z") as expected:
        output, wanted = layer(x)[0], reference(x.double())[0]
    bound = 1e-6 if dtype is torch.float32 else 2e-2
    compare(output, wanted, rms=bound, peak=10 * bound, what="output")
    compare(layer(x)[0], wanted, rms=bound, peak=10 * bound, what="output where nothing is recorded")
    for name in ("l0.m", "l0.z"):
        compare(actual[name], expected[name], rms=bound, peak=10 * bound, what=name)
