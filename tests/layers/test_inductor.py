"""What Inductor compiles of a model with layers gives the model's numbers: torch.compile, and files by AOTInductor."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from numerics import all_same, weighed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning"),  # torch's own, like the next
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
]


class Model(nn.Module):
    """A layer between what Inductor compiles itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 5)
        self.rnn = gw.LSTM(5, 6, bidirectional=True)
        self.output = nn.Linear(12, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # [T,B], [B]
        y, (_, c) = self.rnn(self.embed(tokens).tanh(), lengths=lengths)
        return self.output(y.relu()), c


def given(T: int, B: int) -> tuple[Tensor, Tensor]:
    return torch.randint(11, (T, B)), torch.arange(B) % (T + 1)


SIZES = ((7, 4), (50, 3))
QUICKLY = {"compile_threads": 1, "aot_inductor.compile_wrapper_opt_level": "O0"}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What was compiled before, perhaps for another instruction set, is not used: torch 2.13 takes it for its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


def answers(model: nn.Module, arguments: tuple[Tensor, Tensor]) -> list[Tensor]:
    """What a model returns, and the gradients of a loss on it by its parameters."""
    values = model(*arguments)
    return [*values, *torch.autograd.grad(weighed(*values), tuple(model.parameters()))]


def test_a_model_compiled_by_inductor_gives_the_same_numbers_forward_and_backward() -> None:
    torch._dynamo.reset()
    model = Model()
    compiled = torch.compile(model, fullgraph=True, dynamic=True)
    for T, B in SIZES:
        arguments = given(T, B)
        with torch._inductor.config.patch(QUICKLY):
            found = answers(compiled, arguments)
        all_same(found, answers(model, arguments))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model, and the file that AOTInductor compiled of it."""
    model, path = Model().eval(), tmp_path_factory.mktemp("package") / "model.pt2"
    T, B = torch.export.Dim("T", min=1, max=100), torch.export.Dim("B", min=1, max=100)
    exported = torch.export.export(model, given(7, 4), dynamic_shapes=({0: T, 1: B}, {0: B}))
    torch._inductor.aoti_compile_and_package(exported, package_path=str(path), inductor_configs=QUICKLY)
    return model, path


def test_a_package_of_aot_inductor_gives_the_same_numbers_at_any_length(package: tuple[Model, Path]) -> None:
    model, path = package
    loaded = torch._inductor.aoti_load_package(str(path))
    with torch.no_grad():
        for T, B in SIZES:
            arguments = given(T, B)
            all_same(loaded(*arguments), model(*arguments))


def test_a_package_runs_in_another_process_once_gatework_is_imported(
    package: tuple[Model, Path], tmp_path: Path
) -> None:
    model, path = package
    arguments = given(5, 3)
    with torch.no_grad():
        torch.save((arguments, model(*arguments)), tmp_path / "expected.pt")
    code = f"""
import torch
arguments, expected = torch.load({str(tmp_path / "expected.pt")!r})
try:
    torch._inductor.aoti_load_package({str(path)!r})
    raise AssertionError("it was loaded")
except RuntimeError as error:
    assert "Could not find schema for gatework::scan" in str(error)

import gatework
model = torch._inductor.aoti_load_package({str(path)!r})
assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model(*arguments), expected, strict=True))
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
