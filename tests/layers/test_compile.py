"""Models with a layer go through torch.compile and torch.export whole, and give the same numbers."""

import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from torch.nn.utils import parametrizations, prune

import gatework as gw
from numerics import all_same, gradients, weighed

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning"),  # torch's own
    pytest.mark.usefixtures("fresh"),
    pytest.mark.slow,
]

TWO_STAGES = """
r = sigmoid(W_r @ x + U_r @ h + b_r)
h = tanh(W @ x + U @ (r * h) + b)
"""
EVERYTHING = {"bidirectional": True, "dropout": 0.3, "recurrent_dropout": {"g": 0.2}, "zoneout": {"c": 0.1}}
LENGTHS = torch.tensor([7, 3, 0, 5])


@pytest.fixture
def fresh():
    torch._dynamo.reset()


def whole(module: nn.Module, **options) -> nn.Module:
    """The module compiled without a break; the backend traces both passes and runs torch's own kernels."""
    return torch.compile(module, fullgraph=True, backend="aot_eager", **options)


def answers(module: nn.Module, x: Tensor, *args, **options) -> dict[str, Tensor]:
    """Output, states, and all gradients of a loss on them."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    output, state = module(x, *args, **options)
    values = (output, state) if isinstance(state, Tensor) else (output, *state)
    found = {f"value {index}": value for index, value in enumerate(values)}
    return found | gradients(getattr(module, "_orig_mod", module), weighed(*values), x)


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (lambda: gw.Recurrent("lstm", 4, 5), {}),
        (lambda: gw.Recurrent("gru", 4, 5, initial="learned", batch_first=True), {}),
        (lambda: gw.Recurrent(TWO_STAGES, 4, 5, 2, residual=True, recompute=True), {}),
        (lambda: gw.Recurrent("lstm", 4, 5, 2, **EVERYTHING), {"lengths": LENGTHS, "resets": torch.eye(7, 4) > 0}),
        (lambda: gw.LSTM(4, 5, 2, proj_size=3), {"lengths": [7, 3, 0, 5]}),
        (lambda: gw.LSTM(4, 5, engine="reference", dtype=torch.float64), {}),
    ],
    ids=["lstm", "gru", "two stages", "everything", "LSTM", "reference"],
)
def test_a_compiled_layer_gives_the_same_numbers_forward_and_backward(layer, options):
    layer = layer()
    x = torch.randn(7, 4, 4, dtype=layer.anchor.dtype)
    compiled = whole(layer)
    all_same(answers(compiled, x, **options), answers(layer, x, **options))
    with torch.no_grad():
        all_same((compiled.eval()(x, **options)[0],), (layer.eval()(x, **options)[0],))


def test_other_lengths_and_batches_need_no_other_graph():
    layer = gw.LSTM(4, 5, bidirectional=True)
    compiled = whole(layer, dynamic=True)
    for T, B in ((7, 3), (9, 2), (3, 8)):
        x, lengths = torch.randn(T, B, 4), torch.arange(B) % (T + 1)
        with torch.compiler.set_stance("default" if T == 7 else "fail_on_recompile"):
            found = compiled(x, lengths=lengths)[0]
        all_same((found,), (layer(x, lengths=lengths)[0],))


LISTS = {  # of lengths up to 7, with zeros and ones, which torch.compile is wont to take for constants
    "drawn": [[k * (3 * b + 1) % 8 for b in range(4)] for k in range(12)],
    "one more at a time": [[6] * k + [7] * (12 - k) for k in range(12)],
}


@pytest.mark.parametrize("fullgraph", [True, False])
@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_lengths_share_one_compiled_program(fullgraph, lists, kind):
    layer, x, counter = gw.LSTM(4, 5), torch.randn(7, len(lists[0]), 4), CompileCounter()
    compiled = torch.compile(layer, fullgraph=fullgraph, backend=counter)
    for lengths in lists:
        all_same((compiled(x, lengths=kind(lengths))[0],), (layer(x, lengths=lengths)[0],))
    assert counter.frame_count == 1


@pytest.mark.parametrize("number", [np.int64, np.int32])
def test_lists_of_numpys_integers_compile(number):
    layer, x = gw.LSTM(4, 5, bidirectional=True), torch.randn(7, 4, 4)
    compiled = whole(layer)
    for lengths in ([7, 1, 0, 3], [2, 7, 7, 5]):
        given = [number(length) for length in lengths]
        all_same(answers(compiled, x, lengths=given), answers(layer, x, lengths=lengths))
    with pytest.raises(gw.InputError, match=r"^lengths holds \[7, 8, 0, 3\]; expected 0 to T = 7$"):
        compiled(x, lengths=[number(length) for length in (7, 8, 0, 3)])


def test_of_lists_each_batch_size_has_a_program_and_of_tensors_all_share_one():
    layer, counts = gw.LSTM(4, 5), []
    for kind in (list, torch.tensor):
        torch._dynamo.reset()
        counter = CompileCounter()
        compiled = torch.compile(layer, fullgraph=True, backend=counter, dynamic=True)
        for B in (3, 4, 5):
            lengths, x = [(3 * b + 2) % 8 for b in range(B)], torch.randn(7, B, 4)
            all_same((compiled(x, lengths=kind(lengths))[0],), (layer(x, lengths=lengths)[0],))
        counts.append(counter.frame_count)
    assert counts == [3, 1]


def test_lists_of_lengths_are_trained_with_and_held_to_the_steps():
    layer, x = gw.LSTM(4, 5, bidirectional=True), torch.randn(7, 4, 4)
    compiled = whole(layer)
    answers(compiled, x, lengths=[7, 7, 7, 7])
    with torch.compiler.set_stance("fail_on_recompile"):
        all_same(answers(compiled, x, lengths=[7, 1, 0, 3]), answers(layer, x, lengths=[7, 1, 0, 3]))
    with pytest.raises(gw.InputError, match=r"^lengths holds 8; expected 0 to T = 7$"):
        compiled(x, lengths=[7, 8, 0, 3])


def test_lists_that_are_constants_of_the_program_compile_too():
    layer, x = gw.LSTM(4, 5), torch.randn(7, 3, 4)

    def fixed(x: Tensor, n: list[int]) -> tuple[Tensor, Tensor]:
        return layer(x, lengths=[7, 2, 0])[0], layer(x[: max(n)], lengths=n)[0]

    all_same(torch.compile(fixed, fullgraph=True, backend="aot_eager")(x, [3, 2, 5]), fixed(x, [3, 2, 5]))


def test_a_carried_state_keeps_its_names():
    layer = gw.Recurrent("lstm", 4, 5)

    def twice(x: Tensor) -> tuple[Tensor, ...]:
        _, state = layer(x)
        output, (h, c) = layer(x, state)
        return output, state.c, h, c

    x = torch.randn(3, 2, 4)
    all_same(torch.compile(twice, fullgraph=True, backend="aot_eager")(x), twice(x))


def test_pruned_and_parametrised_weights_compile():
    layer, x = gw.LSTM(4, 5, 2, bidirectional=True), torch.randn(7, 4, 4)
    for place in layer.children():
        prune.random_unstructured(place, "U_f", 0.5)
        parametrizations.weight_norm(place, "W_i")
    all_same(answers(whole(layer), x, lengths=LENGTHS), answers(layer, x, lengths=LENGTHS))
    for place in layer.children():
        prune.remove(place, "U_f")  # of what a hook assigns, export warns
    exported = torch.export.export(layer.eval(), (x,)).module()
    all_same((exported(x)[0],), (layer(x)[0],))


def test_values_are_recorded_inside_a_compiled_layer():
    layer, x = gw.Recurrent("lstm", 4, 5), torch.randn(3, 2, 4)
    compiled = whole(layer)
    with gw.record(layer, "f", "c") as trace:
        compiled(x)
    with gw.record(layer, "f", "c") as expected:
        layer(x)
    all_same(dict(trace), dict(expected))


def test_an_unpickled_layer_compiles():
    layer = pickle.dumps(gw.Recurrent(gw.Cell("q", "q = tanh(W @ x + U @ q)", output="q"), 4, 5))
    code = f"""
import pickle, torch
layer = pickle.loads({layer!r})
x = torch.ones(3, 2, 4)
compiled = torch.compile(layer, fullgraph=True, backend="eager")
assert torch.equal(compiled(x)[0], layer(x)[0])
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


# -- export


class Tagger(nn.Module):
    """A model as people write it: layers under and over the recurrent one."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.rnn = gw.LSTM(4, 5, 2, bidirectional=True)
        self.out = nn.Linear(10, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        output, (h, _) = self.rnn(self.embed(tokens), lengths=lengths)
        return self.out(output), h


def tokens(T: int, B: int) -> tuple[Tensor, Tensor]:
    return torch.randint(11, (T, B)), torch.arange(B) % (T + 1)


@pytest.fixture
def exported() -> tuple[Tagger, bytes]:
    T, B = torch.export.Dim("T", min=1, max=100), torch.export.Dim("B", min=1, max=100)
    model, file = Tagger().eval(), io.BytesIO()
    shapes = {"tokens": {0: T, 1: B}, "lengths": {0: B}}
    torch.export.save(torch.export.export(model, tokens(7, 4), dynamic_shapes=shapes), file)
    return model, file.getvalue()


def test_an_exported_model_gives_the_same_numbers_at_any_length(exported):
    model, file = exported
    again = torch.export.load(io.BytesIO(file)).module()
    for T, B in ((7, 4), (2, 9), (50, 3)):
        given = tokens(T, B)
        all_same(again(*given), model(*given))


def test_an_exported_model_runs_in_a_process_that_knows_gatework_only(exported, tmp_path):
    model, file = exported
    given = tokens(5, 3)
    (tmp_path / "model.pt2").write_bytes(file)
    torch.save((given, model(*given)), tmp_path / "expected.pt")
    code = f"""
model = torch.export.load({str(tmp_path / "model.pt2")!r}).module()
given, expected = torch.load({str(tmp_path / "expected.pt")!r})
assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(model(*given), expected, strict=True))
"""
    for imports in ("import torch, gatework", "import gatework, torch"):
        subprocess.run([sys.executable, "-c", imports + code], check=True, env=os.environ)


@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_layer_returns_a_plain_state_and_can_be_trained(strict):
    layer, x = gw.Recurrent("lstm", 4, 5), torch.randn(3, 2, 4)
    module = torch.export.export(layer, (x,), strict=strict).module()
    (output, state), (expected, final) = module(x), layer(x)
    assert type(state) is tuple
    all_same((output, *state), (expected, *final))
    found = torch.autograd.grad(weighed(output, *state), tuple(module.parameters()))
    all_same(found, torch.autograd.grad(weighed(expected, *final), tuple(layer.parameters())))


@pytest.mark.parametrize(("T", "B"), [(6, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"recompute": True}])
def test_training_on_nothing_is_compiled(options, T, B):
    layer, x = gw.LSTM(4, 5, 2, **options), torch.randn(T, B, 4)
    all_same(answers(whole(layer), x), answers(layer, x))
