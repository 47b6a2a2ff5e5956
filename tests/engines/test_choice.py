"""Which engine runs: the one asked for, or one chosen with its reason; never another in silence."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.testing._internal.two_tensor import TwoTensor

import gatework as gw
from gatework.engines import ENGINES, choose, runs
from gatework.errors import InputError
from gatework.verify.problems import Case, draw

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
ELSEWHERE = [(CPU, torch.float64), (CPU, torch.float16), (CUDA, torch.float64)]


def test_an_engine_asked_for_by_name_is_the_one_that_runs():
    for name, run in ENGINES.items():
        if not runs(name, CPU, torch.float32):
            continue
        choice = choose(name, CPU, torch.float32)
        assert (choice.name, choice.reason) == (name, "asked for by name") and choice.run is run


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_auto_takes_the_native_engine_on_cpu(dtype):
    choice = choose("auto", CPU, dtype)
    assert (choice.name, choice.reason) == ("native", f"the fastest for {str(dtype).removeprefix('torch.')} on cpu")
    assert choice.run is ENGINES["native"]


@pytest.mark.parametrize(("device", "dtype"), ELSEWHERE)
def test_auto_takes_the_reference_engine_elsewhere_and_says_why(device, dtype):
    choice = choose("auto", device, dtype)
    assert choice.name == "reference" and choice.run is ENGINES["reference"]
    assert (
        choice.reason
        == f"native runs float32 and bfloat16 on cpu, not {str(dtype).removeprefix('torch.')} on {device.type}"
    )


@pytest.mark.parametrize(("device", "dtype"), ELSEWHERE)
def test_the_native_engine_is_refused_where_it_does_not_run(device, dtype):
    with pytest.raises(
        InputError, match=r"^engine='native' runs float32 and bfloat16 on cpu, not .*: use engine='reference'$"
    ):
        choose("native", device, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_auto_takes_triton_on_cuda_where_it_is_installed(dtype, monkeypatch):
    pytest.importorskip("triton")
    choice = choose("auto", CUDA, dtype)
    assert (choice.name, choice.reason) == ("triton", f"every cell in {str(dtype).removeprefix('torch.')} on cuda")
    assert choose("auto", CUDA, dtype, ["cube"]).name == "reference"
    with FakeTensorMode():
        assert choose("auto", CUDA, dtype).name == "triton"  # as an operator
    with forward_ad.dual_level():
        assert choose("auto", CUDA, dtype).name == "reference"
    monkeypatch.setattr("gatework.engines.triton.INSTALLED", False)
    assert choose("auto", CUDA, dtype).name == "reference"
    with pytest.raises(InputError, match=r"^engine='triton' needs Triton, which is not installed \(pip install"):
        choose("triton", CUDA, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_auto_takes_torch_on_cuda_for_its_equations_and_another_for_the_rest_of_a_call(dtype, monkeypatch):
    monkeypatch.setattr("gatework.engines.vendor._asked", lambda *_: True)  # as where there is a GPU
    lstm, peephole = (gw.cells[name].program for name in ("lstm", "peephole_lstm"))
    choice = choose("auto", CUDA, dtype, program=lstm)
    assert (choice.name, choice.reason) == ("torch", "torch has these equations as one function on cuda")
    assert choose("auto", CUDA, dtype, program=peephole).name == choose("auto", CUDA, dtype).name != "torch"
    with FakeTensorMode():
        assert choose("auto", CUDA, dtype, program=lstm).name == choose("auto", CUDA, dtype).name
    assert choose("auto", CPU, torch.float64, program=lstm).name == "reference"


def test_what_torchs_functions_have_not_goes_to_the_next_engine(monkeypatch):
    seen = []
    monkeypatch.setattr("gatework.engines.vendor._asked", lambda *_: True)
    monkeypatch.setattr("gatework.engines.vendor.run", lambda _: seen.append("torch"))
    monkeypatch.setitem(choose.__globals__, "ENGINES", dict.fromkeys(ENGINES, lambda _: seen.append("other")))
    run = choose("auto", CUDA, torch.float64, program=gw.cells["lstm"].program).run
    plain = draw(gw.cells["lstm"], Case(2, 1, 3, 4, 4)).arguments()
    wrapped = replace(plain, x=TwoTensor(plain.x, plain.x))
    for arguments in (plain, replace(plain, resets=torch.zeros(2, 1)), replace(plain, record=["f"]), wrapped):
        run(arguments)
    assert seen == ["torch", "torch", "other", "other"]


def test_torch_is_refused_for_other_equations_in_words():
    with pytest.raises(InputError, match=r"^engine='torch' runs torch's LSTM.*'i = sigmoid\(.* is not a function of W"):
        gw.Recurrent("peephole_lstm", 3, 4, engine="torch")
    assert "engine='torch': torch (asked for by name)" in repr(gw.LSTM(3, 4, engine="torch"))


def test_triton_is_refused_where_it_does_not_run():
    pytest.importorskip("triton")
    with pytest.raises(
        InputError, match=r"^engine='triton' runs float32 and bfloat16 on cuda, not float64 on cuda: use"
    ):
        choose("triton", CUDA, torch.float64)
    with pytest.raises(
        InputError, match=r"^engine='triton' runs float32 and bfloat16 on cuda, not float32 on cpu: use"
    ):
        choose("triton", CPU, torch.float32)


def test_what_is_planned_without_memory_may_ask_for_any_engine():
    for name in ENGINES:
        assert choose(name, torch.device("meta"), torch.float32).name == name


def test_an_engine_that_is_not_here_is_refused():
    with pytest.raises(
        InputError, match=r"engine='warp' is not here; there are 'auto', 'native', 'torch', 'triton', 'reference'"
    ):
        choose("warp", CPU, torch.float32)


def test_the_engines_cannot_be_changed():
    with pytest.raises(TypeError):
        ENGINES["mine"] = ENGINES["reference"]  # type: ignore[index]


LACKING = """
from dataclasses import replace

import torch
from gatework.notation.ops import OPS, Op

OPS["cube"] = Op("cube", 1, lambda a: a**3, ("3 * g * a * a",), "a ** 3", "a ** 3", "Mul(Mul(a, a), a)")
OPS["relu"] = replace(OPS["relu"], derivative=("g * step(a)",))

import gatework as gw

layer = gw.Recurrent("h = cube(W @ x + U @ h)", 3, 4)
assert "engine='auto': reference (native has no operation cube)" in repr(layer), repr(layer)
x = torch.randn(5, 2, 3, requires_grad=True)
layer(x)[0].sum().backward()
with torch.autocast("cpu", torch.bfloat16):
    layer(x)
layer.stream(2)(torch.randn(2, 3))
assert "native has no operation step" in repr(gw.Recurrent("rnn_relu", 3, 4))  # in its backward pass
try:
    gw.Recurrent("h = cube(W @ x + U @ h)", 3, 4, engine="native")
except gw.InputError as error:
    assert str(error) == "engine='native' has no operation cube: use engine='reference'", error
else:
    raise AssertionError
"""


def test_a_cell_of_an_operation_that_the_core_lacks_runs_on_the_reference_engine():
    subprocess.run([sys.executable, "-c", LACKING], check=True)
