"""The C library: a file's network step by step equals the layer it was made of; damaged files are refused."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from c_toys import ARGUMENT, DAMAGED, FILE, ROOT, UNSUPPORTED, CError, CModel, Floats, installed, model_file, run, tool
from text_toys import start

import gatework as gw
from gatework.core import _native
from gatework.layers.description import network_of, weights_of
from gatework.network import Network, Port
from gatework.network.steps import Add, Affine, Embedding, Join, Linear, LogSoftmax, OneHot, Softmax, Step, Summary
from gatework.runtime.code import numbering
from gatework.runtime.model import Model
from gatework.text.options import Shape
from gatework.text.trained import TextModel

pytestmark = pytest.mark.slow  # the library is compiled once

T, B = 9, 3


def written(folder: Path, layer: gw.Recurrent) -> Path:
    """A file of a layer alone."""
    weights = {name: tensor.numpy() for name, tensor in weights_of(layer).items()}
    path = folder / "model.gw"
    path.write_bytes(model_file(network_of(layer), weights))
    return path


def drawn(layer: gw.Recurrent) -> gw.Recurrent:
    """The layer with other numbers in all of its parameters, learned starts too."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer.eval()


def expect_same(layer: gw.Recurrent, path: Path) -> None:
    """C's outputs and states are those of the layer, from the start and from a state in the middle."""
    x = torch.randn(T, B, layer.input_size)
    with torch.no_grad():
        first, middle = layer(x[:4])
        rest, last = layer(x[4:], middle)
    model = CModel(path, B)
    assert np.allclose(model.run(x[:4].numpy()), first, rtol=0, atol=1e-5)
    assert np.allclose(model.state, flat(middle), rtol=0, atol=1e-5)
    assert np.allclose(np.stack([model.step(step) for step in x[4:].numpy()]), rest, rtol=0, atol=1e-5)
    assert np.allclose(model.state, flat(last), rtol=0, atol=1e-5)
    model.state = flat(middle)
    assert np.allclose(model.run(x[4:].numpy()), rest, rtol=0, atol=1e-5)
    model.state = None
    assert np.allclose(model.run(x[:4].numpy()), first, rtol=0, atol=1e-5)
    model.close()


def flat(state: tuple[torch.Tensor, ...]) -> Floats:
    flat: Floats = torch.cat([value.flatten() for value in state]).numpy()
    return flat


def made(cell: str, I: int, H: int, **options: object) -> gw.Recurrent:
    """A layer, its input as wide as its state where the cell adds the two."""
    try:
        return drawn(gw.Recurrent(cell, I, H, **options))  # type: ignore[arg-type]
    except gw.EquationError:
        return drawn(gw.Recurrent(cell, H, H, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", gw.cells)
def test_every_cell_steps_as_its_layer_does(cell: str, tmp_path: Path) -> None:
    for I, H in ((5, 17), (33, 33), (1, 1)):
        layer = made(cell, I, H)
        expect_same(layer, written(tmp_path, layer))


@pytest.mark.parametrize("cell", gw.cells)
def test_layers_on_one_another_residual_with_learned_starts_and_zoneout(cell: str, tmp_path: Path) -> None:
    zoneout = {state.name: 0.25 for state in gw.cells[cell].program.states if state.start == 0}
    layer = made(cell, 5, 17, num_layers=2, residual=True, initial="learned", zoneout=zoneout)
    expect_same(layer, written(tmp_path, layer))


def test_a_projection(tmp_path: Path) -> None:
    layer = made("lstm", 4, 9, num_layers=3, proj_size=5)
    expect_same(layer, written(tmp_path, layer))


@pytest.mark.parametrize("B", [1, 2, 7, 40])
def test_a_batch_of_any_size_and_no_steps(B: int, tmp_path: Path) -> None:
    layer = made("peephole_lstm", 5, 33, num_layers=2)
    x = torch.randn(T, B, 5)
    model = CModel(written(tmp_path, layer), B)
    with torch.no_grad():
        assert np.allclose(model.run(x.numpy()), layer(x)[0], rtol=0, atol=1e-5)
    before = model.state
    assert model.run(np.zeros((0, B, 5), np.float32)).shape == (0, B, 33)
    assert np.array_equal(model.state, before)
    model.close()


def network_file(folder: Path, x: Port, steps: list[Step], weights: dict[str, Floats], width: int) -> Path:
    path = folder / "model.gw"
    output = Port(steps[-1].y, ("T", "B", width))  # type: ignore[union-attr]
    path.write_bytes(model_file(Network((x,), (output,), tuple(steps)), weights))
    return path


NUMBERS, IDS = Port("x", ("T", "B", 5)), Port("x", ("T", "B"), "int64")


@pytest.mark.parametrize("width", [1, 5, 16, 37])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_step_and_both_softmaxes(width: int, bias: bool, tmp_path: Path) -> None:
    W, b = torch.randn(width, 5), torch.randn(width)
    weights = {"W": W.numpy()} | ({"b": b.numpy()} if bias else {})
    x = 3 * torch.randn(T, B, 5)
    linear = Linear("x", "y", "W", "b" if bias else None)
    logits = torch.nn.functional.linear(x, W, b if bias else None)
    for after, expected in ((LogSoftmax, logits.log_softmax(-1)), (Softmax, logits.softmax(-1))):
        model = CModel(network_file(tmp_path, NUMBERS, [linear, after("y", "z")], weights, width), B)
        assert np.allclose(model.run(x.numpy()), expected, rtol=0, atol=1e-5)
        model.close()


def test_what_lies_around_layers(tmp_path: Path) -> None:
    """Arrays side by side, sums, a scale; names that are written twice stand for what was written last."""
    steps: list[Step] = [
        Affine("x", "y", 2.0, -1.0),
        Join(("x", "y"), "z"),
        Affine("z", "y", 0.5, 0.0),
        Add(("y", "z"), "z"),
    ]
    x = torch.randn(T, B, 5)
    joined = torch.cat([x, 2 * x - 1], -1)
    model = CModel(network_file(tmp_path, NUMBERS, steps, {}, 10), B)
    assert np.allclose(model.run(x.numpy()), 1.5 * joined, rtol=0, atol=1e-6)
    model.close()


def test_ids_are_rows_of_a_table_or_ones(tmp_path: Path) -> None:
    table = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    steps: list[Step] = [Embedding("x", "y", "table"), OneHot("x", "z", 6), Join(("y", "z"), "w")]
    model = CModel(network_file(tmp_path, IDS, steps, {"table": table}, 9), B)
    ids = np.random.default_rng(1).integers(0, 6, (T, B))
    assert (model.size["ids"], model.size["input"]) == (6, 0)
    assert np.array_equal(model.run(ids), np.concatenate([table[ids], np.eye(6, dtype=np.float32)[ids]], -1))
    before = model.state
    for wrong in (-1, 6, 1 << 40):
        with pytest.raises(CError, match=f"the id {wrong} is not among 0 to 5") as refused:
            model.run(np.where(np.arange(T)[:, None] == T - 1, wrong, ids))
        assert refused.value.status == ARGUMENT
    assert np.array_equal(model.state, before)
    model.close()


def test_what_needs_whole_sequences_is_refused(tmp_path: Path) -> None:
    layer = gw.Recurrent("gru", 3, 4, bidirectional=True)
    both, summary = written(tmp_path, layer), tmp_path / "summary.gw"
    steps = (Summary("x", "y", "mean"),)
    summary.write_bytes(model_file(Network((NUMBERS,), (Port("y", ("B", 5)),), steps), {}))
    for path in (both, summary):
        with pytest.raises(CError, match="does not run in C, step by step: use") as refused:
            CModel(path)
        assert refused.value.status == UNSUPPORTED


# -- text

TOKENS = [b"<unk>", b"a", "\u00e9".encode(), b"", b"ab", b"\xff", b"a"]


def test_tokens_are_found_by_their_bytes(tmp_path: Path) -> None:
    network = Network((IDS,), (Port("y", ("T", "B", 9)),), (OneHot("x", "y", 9),))
    path = tmp_path / "model.gw"
    path.write_bytes(model_file(network, {}, TOKENS))
    model = CModel(path)
    assert model.size["tokens"] == len(TOKENS)
    assert [model.token(number) for number in range(len(TOKENS))] == TOKENS
    assert [model.find(token) for token in TOKENS] == [0, 1, 2, 3, 4, 5, 1]
    assert [model.find(other) for other in (b"b", b"abc", b"<", b"\xc3")] == [-1] * 4
    with pytest.raises(CError, match="the token 7 is not among the 7 of the vocabulary"):
        model.token(7)
    model.close()


# -- files

WHOLE = "lstm", 3, 4


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return written(tmp_path, drawn(gw.Recurrent(*WHOLE)))


def refused(path: Path, batch: int = 1) -> CError:
    with pytest.raises(CError) as error:
        CModel(path, batch)
    assert "\n" not in error.value.args[1]
    return error.value


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.gw").args == (FILE, f"{tmp_path}/missing.gw: No such file or directory")
    assert refused(tmp_path).args == (FILE, f"{tmp_path}: not a file")
    empty = tmp_path / "empty.gw"
    empty.touch()
    assert refused(empty).args == (DAMAGED, "not a model, or a damaged one: it has no header")


def test_every_beginning_of_a_file_is_refused(whole: Path) -> None:
    everything = whole.read_bytes()
    for length in range(0, len(everything), 37):
        whole.write_bytes(everything[:length])
        assert refused(whole).status == DAMAGED


@pytest.mark.parametrize(
    ("old", "new", "status", "text"),
    [
        (b"gatework model 1", b"gatework model 2", UNSUPPORTED, "a file of the format 'gatework model 2'; expected"),
        (b'"gatework.code"', b'"gatework.cope"', UNSUPPORTED, "does not run in C"),
        (b'"l0.W_f"', b'"l0.W_i"', DAMAGED, "two tensors l0.W_i"),
        (b'"shape":[4,3]', b'"shape":[3,4]', DAMAGED, "a plan whose buffers do not fit"),
        (b'"shape":[4,3]', b'"shape":[4,4]', DAMAGED, "is not of its shape"),
        (b'"data_offsets"', b'"data_offset\n"', DAMAGED, "a control character in its header"),
    ],
)
def test_what_is_wrong_in_a_header_is_named(whole: Path, old: bytes, new: bytes, status: int, text: str) -> None:
    everything = whole.read_bytes()
    assert old in everything
    whole.write_bytes(everything.replace(old, new, 1))
    error = refused(whole)
    assert error.status == status
    assert text in error.args[1]


def test_code_of_another_version_is_refused(whole: Path) -> None:
    everything, number = whole.read_bytes(), numbering().to_bytes(8, "little")
    assert everything.count(number) == 1
    whole.write_bytes(everything.replace(number, (numbering() ^ 1).to_bytes(8, "little")))
    assert refused(whole).args == (
        UNSUPPORTED,
        "its code is of another version of gatework: export the model again by the version of this library",
    )


def test_tensors_out_of_alignment_are_read_all_the_same(whole: Path) -> None:
    x = np.ones((T, B, 3), np.float32)
    model = CModel(whole, B)
    expected = model.run(x)
    model.close()
    everything = whole.read_bytes()
    length = int.from_bytes(everything[:8], "little")
    for more in (1, 2, 3, 5):
        whole.write_bytes(
            (length + more).to_bytes(8, "little") + everything[8 : 8 + length] + b" " * more + everything[8 + length :]
        )
        model = CModel(whole, B)
        assert np.array_equal(model.run(x), expected)
        model.close()


@pytest.mark.parametrize("batch", [0, -1, (1 << 20) + 1, 1 << 62])
def test_a_batch_that_cannot_be(whole: Path, batch: int) -> None:
    assert refused(whole, batch).args == (ARGUMENT, "the batch is not among 1 to 2^20")


def test_null_is_refused_and_said(whole: Path) -> None:
    model = CModel(whole)
    for name, arguments in {
        "step": (None, None),
        "run": (None, 1, None),
        "state_get": (None,),
        "sizes": (None,),
    }.items():
        with pytest.raises(CError, match="is NULL"):
            model.call(name, *arguments)
    assert model.c.gatework_open(b"x", 1, None) == ARGUMENT
    assert model.c.gatework_step(None, None, None) == ARGUMENT
    assert b"there is no model" in model.c.gatework_error(None)
    model.c.gatework_close(None)
    model.close()


def test_models_of_several_threads_do_not_disturb_one_another(whole: Path) -> None:
    x = np.random.default_rng(1).normal(size=(500, B, 3)).astype(np.float32)

    def all_steps(_: int) -> Floats:
        model = CModel(whole, B)
        y = model.run(x)
        model.close()
        return y

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(all_steps, range(12))
    assert all(np.array_equal(first, other) for other in others)


# -- the library


def test_it_shows_ten_functions_and_needs_no_python() -> None:
    (path,) = installed().glob("lib*/libgatework.so.1.0")
    shown = [line.split()[-1] for line in run("nm", "-D", "--defined-only", str(path)).splitlines()]
    names = ["close", "error", "find", "open", "run", "sizes", "state_get", "state_set", "step", "token"]
    assert sorted(shown) == [f"gatework_{name}" for name in names]
    header = (installed() / "include" / "gatework.h").read_text()
    assert all(f"gatework_{name}(" in header for name in names)
    assert "python" not in run("nm", "-D", "--undefined-only", str(path)).lower()


# -- the example

TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 40


@pytest.fixture(scope="module", params=["char", "byte", "word"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TextModel, Path]:
    """A language model that has learnt a little, and its file."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT)
    start(
        folder / "run",
        folder / "text.txt",
        level=request.param,
        steps=150,
        warmup=2,
        learning_rate=0.05,
        shape=Shape(hidden=16, layers=2),
    )
    model = gw.load(folder / "run")
    Model.open(folder / "run").save(folder / "model.gw")
    return model, folder / "model.gw"


@pytest.fixture(scope="module")
def write_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of examples/c, as docs/c.md says that it is compiled."""
    program, source = tmp_path_factory.mktemp("example") / "write_text", ROOT / "examples" / "c" / "write_text.c"
    (folder,) = (path.parent for path in installed().glob("lib*/libgatework.so"))
    careful = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    place = [f"-I{installed() / 'include'}", f"-L{folder}", f"-Wl,-rpath,{folder}"]
    run(tool("cc"), *careful, *place, str(source), "-lgatework", "-lm", "-o", str(program))
    return program


def test_log_probabilities_are_those_of_the_trained_model(trained: tuple[TextModel, Path]) -> None:
    model, path = trained
    ids = model.vocabulary.encode(TEXT[:200]).astype(np.int64)[:, None]
    with torch.no_grad():
        logits, _ = model.network.logits(torch.from_numpy(ids))
    opened = CModel(path)
    assert np.allclose(opened.run(ids), logits.log_softmax(-1), rtol=0, atol=1e-5)
    opened.close()


def test_the_example_writes_what_python_writes(trained: tuple[TextModel, Path], write_text: Path) -> None:
    model, path = trained
    expected = model.sample("the", 200, temperature=0, repetition=1)
    assert len(set(expected)) > 3
    assert run(str(write_text), str(path), "the") == expected


def test_every_instruction_set_writes_the_same(trained: tuple[TextModel, Path], write_text: Path) -> None:
    words = str(write_text), str(trained[1]), "the"
    texts = {isa: run(*words, environment={"GATEWORK_ISA": isa}) for isa in ("", *_native.isas())}
    assert len(set(texts.values())) == 1
    done = subprocess.run(words, env={"GATEWORK_ISA": "mmx"}, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "GATEWORK_ISA=mmx does not run here; there are" in done.stderr


def test_one_seed_draws_one_text(trained: tuple[TextModel, Path], write_text: Path) -> None:
    _, path = trained
    texts = [run(str(write_text), str(path), "the ", "300", "1", seed) for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_the_example_names_what_it_cannot_do(whole: Path, write_text: Path) -> None:
    for words, text in (
        ([], "usage: write_text MODEL.gw PROMPT"),
        ([str(whole), "a"], "no language model"),
        (["missing.gw", "a"], "missing.gw: No such file or directory"),
    ):
        done = subprocess.run([str(write_text), *words], text=True, capture_output=True, check=False)
        assert done.returncode == 2
        assert text in done.stderr
