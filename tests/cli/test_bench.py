"""`gatework bench` at one tiny shape: what it prints and writes, and how it ends."""

import json
import shlex
from pathlib import Path

import pytest
import torch
from cli_toys import Command

from gatework.cli import measuring
from gatework.errors import InputError
from gatework.lab.bench import ROWS
from gatework.lab.bench import settings as bench_settings
from gatework.lab.bench.measure import Budget

TINY = "bench --quick --threads 1 --shape 3,2,4,5"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_settings, "QUICK", Budget(2, 0.0, 0.0))
    return tmp_path


def test_a_quick_run_prints_the_machine_the_targets_and_each_shape(gatework: Command):
    done = gatework(*shlex.split(f"{TINY} --only lstm-inference,lstm-training"))
    assert done.status == 0
    assert "1 thread" in done.lines[0] and "torch" in done.lines[1]
    assert "| LSTM training step / torch.nn.LSTM | 1      | >= 1.25 " in done.out
    assert "### LSTM inference / torch.nn.LSTM" in done.out
    assert [line.partition(":")[0] for line in done.err.splitlines()] == [
        "lstm-inference 3,2,4,5",
        "lstm-training 3,2,4,5",
    ]


def test_all_rows_are_measured_but_those_that_must_be_asked_for():
    names = [row.name for row in measuring.chosen_rows([], plotted=False)]
    there = [name for name, row in ROWS.items() if row.device == "cpu"]
    assert names == [name for name in there if name not in ("peephole-compile", "growth")]
    assert [row.name for row in measuring.chosen_rows(["lstm-training"], plotted=True)] == ["lstm-training", "growth"]
    assert [row.name for row in measuring.chosen_rows(["peephole-compile"], plotted=False)] == ["peephole-compile"]


def test_a_device_has_rows_of_its_own():
    names = [row.name for row in measuring.chosen_rows([], plotted=False, device="cuda")]
    assert names == ["cuda-lstm", "cuda-lstm-whole", "cuda-eager", "cuda-cells"]
    assert [row.name for row in measuring.chosen_rows(["cuda-compile"], False, "cuda")] == ["cuda-compile"]
    for only, plotted, said in (
        (["stream"], False, "stream: there is no such row for --device cuda; there are cuda-lstm,"),
        ([], True, "--plot measures on the processor: leave out --plot or --device cuda"),
    ):
        with pytest.raises(InputError, match=said):
            measuring.chosen_rows(only, plotted, "cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_one_line_says_so(gatework: Command):
    done = gatework("bench", "--device", "cuda", "--json", "saved.json")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1 and "device 'cuda' cannot be measured: torch sees no CUDA device here" in done.err
    assert not Path("saved.json").exists()


def test_cells_are_chosen_by_name(gatework: Command):
    done = gatework(*shlex.split(f"{TINY} --only cells,row-cells --cell np,ran --cell on_lstm"))
    assert [line.split()[:2] for line in done.err.splitlines()] == [
        ["cells", "np"],
        ["cells", "ran"],
        ["row-cells", "on_lstm"],
    ]


def test_what_was_saved_is_shown_again(gatework: Command):
    done = gatework(*shlex.split(f"{TINY} --only lstm-inference --json saved.json"))
    assert json.loads(Path("saved.json").read_text())["finished"] is True
    again = gatework(*shlex.split("bench --from saved.json --json copy.json"))
    assert (again.status, again.out) == (0, done.out)
    assert Path("copy.json").read_text() == Path("saved.json").read_text()
    gatework(*shlex.split(f"{TINY} --only lstm-training --json more.json"))
    both = gatework(*shlex.split("bench --from saved.json --from more.json"))
    assert [line.split(" / ")[0] for line in both.out.splitlines() if line.startswith("###")] == [
        "### LSTM inference",
        "### LSTM training step",
    ]


def test_a_document_gets_the_tables_between_its_marks(gatework: Command):
    Path("old.md").write_text("# Mine\n<!-- bench -->\n<!-- /bench -->\nkept\n")
    for name, before, after in (("old.md", "# Mine\n", "kept\n"), ("new.md", "", "")):
        done = gatework(*shlex.split(f"{TINY} --only lstm-inference --markdown {name}"))
        assert Path(name).read_text() == f"{before}<!-- bench -->\n{done.out}<!-- /bench -->\n{after}"


def test_a_stop_prints_and_saves_what_was_measured(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatework.lab.bench.memory.peak", stop)
    done = gatework(*shlex.split(f"{TINY} --only lstm-inference,memory --json saved.json"))
    assert done.status == 130
    assert "| LSTM inference / torch.nn.LSTM |" in done.out and "stopped before the end" in done.out
    assert "stopped: what was measured so far" in done.err
    saved = json.loads(Path("saved.json").read_text())
    assert [entry["row"] for entry in saved["measurements"]] == ["lstm-inference"] and not saved["finished"]


WRONG = [
    (
        "--only lstm",
        ["--only lstm: there is no such row for --device cpu; there are call, lstm-inference, lstm-training"],
    ),
    ("--shape 1,2,3", ["shape '1,2,3': expected T,B,I,H"]),
    ("--cell lsmt", ["unknown cell 'lsmt'"]),
    ("--threads 0", ["threads is 0"]),
    ("--threads two", ["'--threads'", "valid integer"]),
    ("--device mps", ["device 'mps' is not measured; expected cpu or cuda"]),
    ("--engine warp", ["engine='warp' is not here"]),
    ("--json nowhere/saved.json", ["cannot write nowhere/saved.json: nowhere is no directory"]),
    ("--markdown plain.md", ["--markdown plain.md: it has no lines <!-- bench -->"]),
    ("--markdown .", ["cannot read .: Is a directory"]),
    ("--from saved.json --quick", ["--from saved.json measures nothing: leave out"]),
    ("--from missing.json", ["cannot read missing.json: No such file"]),
    ("--from plain.md", ["plain.md: not JSON"]),
    ("--from other.json", ["other.json: format 'other'; expected 'gatework bench 2'"]),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[options for options, _ in WRONG])
def test_what_is_wrong_is_said_in_one_line_before_anything_is_measured(
    gatework: Command, here: Path, options: str, said: list[str]
):
    Path("plain.md").write_text("# Mine\n")
    Path("other.json").write_text('{"format": "other"}')
    before = sorted(here.iterdir())
    done = gatework("bench", *shlex.split(options))
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    for words in said:
        assert words in done.err
    assert sorted(here.iterdir()) == before
