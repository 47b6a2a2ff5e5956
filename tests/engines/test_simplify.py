"""Derivatives of sigmoid and tanh are one operation each, wherever they stand among the nodes of a backward pass."""

from collections import Counter

import pytest

from gatework.cells import cells
from gatework.engines.native.simplify import fuse_derivatives
from gatework.notation.adjoint import adjoint


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm"])
def test_every_gate_has_its_derivative_as_one_operation(cell):
    program = cells[cell].program
    functions = Counter(node.op for node in program.nodes)
    fused = Counter(node.op for node in fuse_derivatives(adjoint(program).nodes))
    assert (fused["sigmoid_back"], fused["tanh_back"]) == (functions["sigmoid"], functions["tanh"])
