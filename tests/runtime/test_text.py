"""A language model without torch: the texts, the figures and the errors are those with it, of a folder or one file."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from text_toys import SMALL, start, write_text

import gatework as gw
from gatework.errors import InputError
from gatework.files.tensors import read_tensors
from gatework.runtime import Model, Session, TextSession
from gatework.text.options import Draw, Shape
from gatework.text.scoring import each, score

SHAPES = {
    "plain": SMALL,
    "one-hot": Shape(hidden=9, embedding=None),
    "tied": Shape(hidden=7, embedding=7, tied=True),
    "deep": Shape(hidden=6, layers=3, embedding=6, residual=True, initial="learned"),
    "adaptive": Shape(hidden=8, embedding=5, softmax="adaptive"),
    "adaptive-one-hot": Shape(hidden=8, embedding=None, projection=5, softmax="adaptive"),
    "projected": Shape(hidden=8, embedding=5, projection=3, zoneout={"h": 0.2}),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    text = write_text(folder)
    made = {}
    for name, shape in SHAPES.items():
        start(folder / name, text, shape=shape)
        made[name] = folder / name
    for level in ("byte", "word"):
        start(folder / level, text, level=level)
        made[level] = folder / level
    made["gru"] = folder / "gru"
    start(made["gru"], text, "gru")
    return made


NAMES = (*SHAPES, "byte", "word", "gru")


@pytest.mark.parametrize("name", NAMES)
def test_texts_and_figures_are_those_with_torch(runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    trained, file = gw.load(runs[name]), tmp_path / "model.gw"
    Model.open(runs[name]).save(file)
    text = "abc def\nfed " * 20
    for session in (TextSession(runs[name]), TextSession(file), TextSession(file, threads=2)):
        for draw in (Draw(), Draw(temperature=0, repetition=3), Draw(temperature=2.0, top_k=3)):
            own = session.sample("ab", 60, draw=draw, seed=4)
            options = {key: getattr(draw, key) for key in ("temperature", "top_k", "repetition")}
            assert own == trained.sample("ab", 60, seed=4, **options)
        for streams in (1, 3):
            mine, theirs = session.score(text, streams=streams), trained.score(text, streams=streams)
            assert mine.bits_per_token == pytest.approx(theirs.bits_per_token, rel=1e-5)
            assert (mine.tokens, mine.characters, mine.unknown) == (theirs.tokens, theirs.characters, theirs.unknown)
        each = list(session.each(session.vocabulary.encode(text)))
        assert [token for token, _ in each] == [token for token, _ in trained.surprises(text)]
        log_p, _ = session.run(session.vocabulary.encode(text).astype(np.int64)[:, None])
        np.testing.assert_allclose(log_p[:, 0], trained.log_probabilities(text), rtol=0, atol=1e-5)


def test_documents_are_written_on_their_conditions(tmp_path: Path) -> None:
    lines = [{"text": "abab" * 8, "condition": "x"}, {"text": "cdcd" * 8, "condition": "y"}] * 12
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    start(tmp_path / "run", path, cell="slstm", steps=30)  # one of its states starts at minus infinity
    session, trained = TextSession(tmp_path / "run"), gw.load(tmp_path / "run")
    for condition in ("x", "y"):
        own = session.sample("ab", 40, condition=condition, seed=2)
        assert own == trained.sample("ab", 40, condition=condition, seed=2)
    tokens = np.concatenate([session.vocabulary.document("abab" * k, "xy"[k % 2]) for k in (1, 40, 2, 3, 30, 1, 2)])
    for streams in (1, 2, 5):
        mine = session.score_tokens(tokens, streams)
        theirs = score(trained.network, trained.vocabulary, tokens, streams)
        assert mine.nats == pytest.approx(theirs.nats, rel=1e-5)
        assert (mine.tokens, mine.characters) == (theirs.tokens, theirs.characters)
    own, others = list(session.each(tokens)), list(each(trained.network, trained.vocabulary, tokens))
    assert [token for token, _ in own] == [token for token, _ in others]
    np.testing.assert_allclose([bits for _, bits in own], [bits for _, bits in others], atol=1e-4)
    for condition in ("x", "y", None):
        mine, theirs = session.score("abcd" * 9, condition=condition), trained.score("abcd" * 9, condition=condition)
        assert mine.bits_per_token == pytest.approx(theirs.bits_per_token, rel=1e-5)


def test_torch_is_never_imported(runs: dict[str, Path]) -> None:
    code = (
        "import sys; from gatework.runtime import TextSession;"
        f"s = TextSession({str(runs['plain'])!r}); s.sample('ab', 5, seed=1); s.score('abcdef');"
        "print({'torch', 'safetensors', 'typer', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("command", [["sample", "RUN", "--length", "3"], ["score", "RUN", "TEXT"]], ids=lambda c: c[0])
def test_commands_import_no_torch(runs: dict[str, Path], command: list[str]) -> None:
    words = {"RUN": str(runs["plain"]), "TEXT": str(runs["plain"].parent / "text.txt")}
    arguments = ["gatework", *(words.get(word, word) for word in command)]
    code = (
        f"import sys; sys.argv = {arguments!r}; import atexit;"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr));"
        "from gatework.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith("False")


def test_a_file_has_all_that_the_folder_has(runs: dict[str, Path], tmp_path: Path) -> None:
    model, file = Model.open(runs["plain"]), tmp_path / "model.gw"
    model.save(file)
    read = Model.open(file)
    assert (read.task, read.network, dict(read.about)) == (model.task, model.network, dict(model.about))
    for name, array in model.weights.items():
        np.testing.assert_array_equal(read.weights[name], array)


# -- what is damaged


def test_other_files_are_named(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no model that this gatework reads: expected format 'gatework model 1'"):
        Model.open(runs["plain"] / "best.safetensors")
    with pytest.raises(InputError, match="nothing does not exist: expected the folder of a run, or a file that"):
        Model.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="does not exist"):
        Model.open(tmp_path)


def damaged(run: Path, folder: Path, change: str) -> Path:
    """A copy of a run with one thing changed in the bytes of its checkpoint."""
    for name in ("run.json", "best.safetensors"):
        (folder / name).write_bytes((run / name).read_bytes())
    path = folder / "best.safetensors"
    data = bytearray(path.read_bytes())
    if change == "a number":
        data[-3] ^= 0x40
    elif change == "cut":
        del data[-8:]
    else:
        data = bytearray(re.sub(rb"checkpoint 1", b"checkpoint 7", bytes(data)))
    path.write_bytes(bytes(data))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("a number", "its content does not match its digest"),
        ("cut", "damaged or no checkpoint"),
        ("a version", "is a 'checkpoint 7', and this gatework reads 'checkpoint 1'"),
    ],
)
def test_a_damaged_checkpoint_is_named(runs: dict[str, Path], tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Model.open(damaged(runs["plain"], tmp_path, change))


def test_another_runs_weights_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    for run, file in (("plain", "run.json"), ("one-hot", "best.safetensors")):
        (tmp_path / file).write_bytes((runs[run] / file).read_bytes())
    with pytest.raises(InputError, match="does not fit this model"):
        Session(tmp_path)


def test_weights_that_are_no_numbers_are_named(runs: dict[str, Path], tmp_path: Path) -> None:
    model = Model.open(runs["plain"])
    spoiled = dict(model.weights)
    spoiled["recurrent.l0.U_f"] = np.full_like(model.weights["recurrent.l0.U_f"], np.nan)
    file = tmp_path / "model.gw"
    Model(model.path, model.task, model.network, spoiled, model.about).save(file)
    with pytest.raises(InputError, match=r"recurrent\.l0\.U_f holds nan"):
        Model.open(file)


def test_weights_that_overflow_are_named(runs: dict[str, Path]) -> None:
    model = Model.open(runs["plain"])
    bias = np.where(np.arange(len(model.weights["output.bias"])) % 2, np.float32(3e38), np.float32(-3e38))
    large = dict(model.weights) | {"output.bias": bias}  # between which lies more than a number of 32 bits has
    session = TextSession(Model(model.path, model.task, model.network, large, model.about))
    with pytest.raises(InputError, match=r"the model answers nan or inf: its weights overflow, the largest is 3e.38"):
        session.score("abcdef" * 3)


def test_changed_bytes_of_a_file_are_read_or_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    file, rng = tmp_path / "model.gw", random.Random(0)
    Model.open(runs["plain"]).save(file)
    whole = file.read_bytes()
    header = len(whole) - sum(array.nbytes for array in read_tensors(file).arrays.values())
    for number in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(header)] = rng.randrange(256)
        changed = tmp_path / f"{number}.gw"
        changed.write_bytes(bytes(data))
        try:
            TextSession(changed).sample("a", 2, seed=0)
        except (InputError, gw.EquationError):
            continue
