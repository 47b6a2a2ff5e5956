"""The native engine: every instruction set of the machine computes every cell; what it does not run, it refuses."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

import gatework as gw
from gatework.cells import cells
from gatework.core import _native
from gatework.engines import Arguments, choose, native
from gatework.errors import InputError
from gatework.verify.check import Target, verify

NATIVE = Target("native", torch.float32, "cpu", native.run)


# -- instruction sets


def test_without_a_wish_the_widest_instruction_set_runs(monkeypatch):
    monkeypatch.delenv("GATEWORK_ISA", raising=False)
    assert _native.isa() == _native.isas()[0]
    assert _native.isas()[-1] == "baseline"


@pytest.mark.parametrize("isa", _native.isas())
def test_the_environment_picks_the_instruction_set(isa):
    asked = [sys.executable, "-c", "from gatework.core import _native; print(_native.isa())"]
    done = subprocess.run(asked, env=os.environ | {"GATEWORK_ISA": isa}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == isa


def test_an_instruction_set_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", "mmx")
    for engine in ("auto", "native"):
        with pytest.raises(InputError, match=r"^GATEWORK_ISA=mmx does not run here; there are .*baseline$"):
            choose(engine, torch.device("cpu"), torch.float32)
    result = next(verify([cells["lstm"]], on=[NATIVE]))
    assert "GATEWORK_ISA=mmx does not run here" in result.message


@pytest.mark.parametrize("B", [1, 7])
def test_tensors_whose_units_lie_apart_are_read_as_they_are(B):
    layer, x, by = gw.LSTM(4, 5, engine="native"), torch.randn(6, 4, B).mT, torch.randn(5, B, 6).permute(2, 1, 0)
    state = [torch.randn(1, 5, B).mT for _ in range(2)]
    found, expected, by_state = [], [], torch.ones(1).expand(1, B, 5)
    for got, joined in ((found, Tensor.detach), (expected, Tensor.contiguous)):
        leaves = [joined(value).requires_grad_() for value in (x, *state)]
        output, final = layer(leaves[0], leaves[1:])
        by_all = [joined(by), joined(by_state), joined(by_state)]
        got += [output, *final, *torch.autograd.grad([output, *final], leaves, by_all)]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("isa", _native.isas()[1:])  # the first is the one that `verify` takes by itself
def test_every_cell_passes_on_every_other_instruction_set(isa, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    results = [result for result in verify(on=[NATIVE]) if result.engine == "native on cpu"]
    assert {result.cell for result in results} == set(cells)
    assert [result for result in results if not result.passed] == []


VECTORS_ALONE = """
s = softplus(v) * 0.5
w = v * v + s
n = s - w * 0.1
c = 0.5 * c + w
h = tanh(W @ x + U @ h + s) * sigmoid(w) + c * v + n
"""


@pytest.mark.parametrize("isa", _native.isas())
def test_values_of_vectors_alone_are_those_of_every_row(isa, monkeypatch):
    """Such values are computed once for all rows of a tile: stored, mixed with others, summed to gradients."""
    monkeypatch.setenv("GATEWORK_ISA", isa)
    results = [*verify([gw.Cell("vectors_alone", VECTORS_ALONE)], on=[NATIVE])]
    assert results
    assert [result for result in results if not result.passed] == []


# -- what it does not run


@pytest.mark.parametrize("wrong", ["x", "state", "params"])
def test_numbers_of_another_dtype_are_refused_wherever_they_come(wrong):
    def tensors(of: str, *shapes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(torch.zeros(shape, dtype=torch.float64 if of == wrong else torch.float32) for shape in shapes)

    program = cells["rnn"].program
    sizes = program.bind(2, 3)
    params = tensors("params", *(tuple(sizes[side] for side in p.shape) for p in program.parameters))
    names = [parameter.name for parameter in program.parameters]
    with pytest.raises(InputError, match=r"engine='native' runs float32 and bfloat16 on cpu, not float64 on cpu: use "):
        native.run(
            Arguments(
                program, dict(zip(names, params, strict=True)), *tensors("x", (4, 2, 2)), tensors("state", (2, 3))
            )
        )
