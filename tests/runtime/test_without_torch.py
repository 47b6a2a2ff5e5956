"""Where torch is not installed: what was trained writes and scores, and all else names the remedy in a line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from text_toys import start, write_text

BLOCK = "import sys; sys.modules.update(torch=None, safetensors=None);"  # as where they are not installed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    start(folder / "run", write_text(folder))
    return folder / "run"


def command(*words: object) -> subprocess.CompletedProcess[str]:
    arguments = ["gatework", *map(str, words)]
    code = f"{BLOCK} sys.argv = {arguments!r}; from gatework.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_a_run_and_its_file_write_and_are_scored(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.gw"
    done = command("export", run, "--out", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{file}: 0.0 MB, ")
    texts = [command("sample", each, "--prompt", "ab", "--length", 20, "--seed", 1) for each in (run, file)]
    scores = [command("score", each, run.parent / "text.txt") for each in (run, file)]
    for one, other in (texts, scores):
        assert (one.returncode, one.stderr, one.stdout) == (0, other.stderr, other.stdout)
    assert len(texts[0].stdout) == 2 + 20 + 1
    assert "bits per character" in scores[0].stdout


def test_documents_are_scored(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "ab" * (3 + k % 5), "condition": "xy"[k % 2]}) for k in range(60)]
    (tmp_path / "documents.jsonl").write_text("\n".join(lines))
    start(tmp_path / "run", tmp_path / "documents.jsonl", steps=2)
    (tmp_path / "text.txt").write_text("abab")
    done = command("score", tmp_path / "run", tmp_path / "documents.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "over 660 characters" in done.stdout
    for condition in ("x", "y"):
        done = command("score", tmp_path / "run", tmp_path / "text.txt", "--condition", condition, "--each")
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr


@pytest.mark.parametrize(
    "words",
    [["train", "text", "RUN/../text.txt", "--out", "OUT"], ["score", "RUN", "RUN/../text.txt", "--adapt"]],
    ids=lambda words: words[0],
)
def test_what_needs_torch_names_the_remedy(run: Path, tmp_path: Path, words: list[str]) -> None:
    done = command(*(word.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")) for word in words))
    assert done.returncode == 2
    assert done.stderr == "gatework: this needs torch, which is not installed: pip install 'gatework[train]'\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_needs_torch_names_the_remedy() -> None:
    code = (
        f"{BLOCK} import gatework as gw; print(gw.cells['lstm'].name)\ntry: gw.LSTM\nexcept ImportError as e:print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    expected = "gatework.LSTM needs torch, which is not installed: pip install 'gatework[train]'"
    assert done.stdout.splitlines() == ["lstm", expected]


def test_commands_that_compute_nothing_run() -> None:
    for words in (["--help"], ["cells"], ["cells", "lstm"]):
        done = command(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
