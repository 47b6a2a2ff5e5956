"""What users' files hold reaches the terminal readable, never obeyed; streams may be closed, names no text."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cli_toys import SMALL, Command
from rich.console import Console

from gatework.cli import terminal
from gatework.cli.progress import TrainingProgress
from gatework.cli.tables import as_text
from gatework.cli.terminal import Shown, border, json_line
from gatework.training.events import Notice

TITLE = "\x1b]0;owned\x07"  # would rename the terminal's window
NASTY = [TITLE + "a", "[red]b[/]\x9b2J", ":boom: [/] \u202ec", "x" * 10**5]
OBEYED = ["\x1b", "\x07", "\x9b", "\u202e", "\r"]


def labelled(tags: bool) -> bytes:
    rows = []
    for k in range(80):
        label = NASTY[k % 4]
        rows.append({"text": "abcd"[k % 4] * 6, "label": [label] * 6 if tags else label})
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table() -> bytes:
    rows = ["unique_id,ds,y"]
    for name in ("=1+1", TITLE, "[red]z[/]"):
        rows += [f"{name},2020-01-{day:02},{(day * 7) % 5}" for day in range(1, 32)]
    return "\n".join(rows).encode()


LABELS = "--hidden 3 --steps 4 --device cpu"
JOBS = {
    "text": f"train text nasty.txt --out made {shlex.join(SMALL)}",
    "labels": f"train labels nasty.jsonl --out made {LABELS}",
    "tags": f"train labels tags.jsonl --out made {LABELS}",
    "series": "train series nasty.csv --out made --horizon 2 --hidden 2 --members 1 --steps 2",
}
USES = {
    "text": ["score made nasty.txt", "score made nasty.txt --each", f"train text {shlex.quote(TITLE)} --out x"],
    "labels": ["predict made nasty.jsonl", "predict made nasty.jsonl --each"],
    "tags": ["predict made tags.jsonl", "predict made tags.jsonl --each"],
    "series": ["forecast made", "backtest nasty.csv --horizon 2 --naive-only --windows 1"],
}


@pytest.mark.parametrize("job", JOBS)
def test_no_command_writes_what_a_terminal_obeys(gatework: Command, place: Path, job: str) -> None:
    Path("nasty.txt").write_text(f"abc{TITLE}\x9b[red]" * 80)
    Path("nasty.jsonl").write_bytes(labelled(tags=False))
    Path("tags.jsonl").write_bytes(labelled(tags=True))
    Path("nasty.csv").write_bytes(table())
    for arguments in [JOBS[job], *USES[job]]:
        done = gatework(*shlex.split(arguments))
        assert done.status == (2 if arguments.endswith("--out x") else 0), done.err
        for character in OBEYED:
            assert character not in done.out + done.err, arguments
        lines = [line for line in done.lines if not line.startswith('{"label"')]
        assert max(map(len, [*lines, *done.err.splitlines()]), default=0) < 2000
    if job in ("labels", "series"):
        told = gatework(*shlex.split(USES[job][0])).out
        assert "\\x1b]0;owned\\x07" in told
        assert "[red]" in told


def test_predictions_are_json_whatever_the_labels_hold() -> None:
    row = {"label": f"Köln {TITLE}\x9b\u2028\ud800\x7f"}
    written = json_line(row)
    assert json.loads(written) == row
    assert "Köln" in written
    written.encode()


def test_a_models_text_is_shown_on_a_terminal_and_as_it_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for on_terminal, written in ((True, "a\n\\x1b[2J"), (False, "a\n\x1b[2J")):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda there=on_terminal: there)
        monkeypatch.setattr(sys, "stdout", stream)
        with border():
            terminal.for_model_text().write("a\n\x1b[2J")
        assert stream.getvalue() == written


@pytest.mark.parametrize("on_terminal", [True, False])
def test_progress_is_words_not_markup_nor_escapes(on_terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=on_terminal, width=300, soft_wrap=True)
    with TrainingProgress("steps", console) as progress:
        progress(Notice(f"{TITLE} [red]x[/] :boom:"))
    assert "\\x1b]0;owned\\x07 [red]x[/] :boom:" in console.file.getvalue()
    assert "\x1b]0" not in console.file.getvalue()


def test_the_border_is_taken_away_again() -> None:
    before = sys.stdout, sys.stderr
    with border():
        assert isinstance(sys.stdout, Shown)
        assert terminal.console().file is terminal.behind(sys.stdout)
    assert (sys.stdout, sys.stderr) == before


# -- spreadsheets

TEXTS = [
    ("=1+1", "'=1+1"),
    ("+1+1", "'+1+1"),
    ("-1+1", "'-1+1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t=1"),
    ("\r=1", "'\r=1"),
    ("-12.5", "-12.5"),
    ("+1e3", "+1e3"),
    ("-inf", "'-inf"),
    ("a=1", "a=1"),
    ("", ""),
]


@pytest.mark.parametrize(("name", "written"), TEXTS)
def test_what_a_spreadsheet_would_run_is_text(name: str, written: str) -> None:
    assert as_text(name) == written


def test_a_forecasts_csv_holds_no_formula_unless_it_is_asked_for(gatework: Command, place: Path) -> None:
    Path("nasty.csv").write_bytes(table().replace(b"unique_id", b"@id"))
    assert gatework(*shlex.split(JOBS["series"]), "--id", "@id").status == 0
    for options, heading, names in (([], "'@id", {"'=1+1"}), (["--keep-formulas"], "@id", {"=1+1"})):
        assert gatework("forecast", "made", *options).status == 0
        with Path("made/forecast.csv").open(newline="") as file:
            first, *rows = list(csv.reader(file))
        assert first[0] == heading
        assert {row[0] for row in rows} >= names


# -- streams that are closed, names that are not UTF-8, files that are none

GATEWORK = [sys.executable, "-m", "gatework"]


def shell(command: str) -> subprocess.CompletedProcess[str]:
    line = command.replace("gatework", shlex.join(GATEWORK), 1)
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=120)


CLOSED = [
    ("gatework sample run --length 3 >&-", 2, "gatework: standard output is closed"),
    ("gatework score run - <&-", 2, "gatework: standard input is closed"),
    ("gatework score run missing.txt 2>&-", 2, ""),
    ("gatework score run - </dev/zero", 2, "gatework: standard input is a device"),
]


@pytest.mark.parametrize(("command", "status", "said"), CLOSED, ids=[command for command, *_ in CLOSED])
def test_a_stream_that_is_closed_or_endless(place: Path, command: str, status: int, said: str) -> None:
    done = shell(command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)


READERS = [
    "train text FILE --out new",
    "train labels FILE --out new",
    "train series FILE --horizon 2 --out new",
    "backtest FILE --horizon 2",
    "score run FILE",
    "inspect run FILE",
    "cells --equations FILE",
    "bench --from FILE",
]


@pytest.mark.parametrize("command", READERS)
def test_a_device_a_socket_and_a_name_that_is_not_utf8(gatework: Command, place: Path, command: str) -> None:
    os.mkfifo("pipe")
    odd = os.fsdecode(b"odd\xff\x1b.txt")
    for name, said in (("/dev/zero", "/dev/zero is a device"), (odd, "odd\\xff\\x1b.txt")):
        done = gatework(*[name if word == "FILE" else word for word in command.split()])
        assert done.status == 2
        assert said in done.err
        assert done.err.count("\n") == 1


def test_a_text_in_a_name_that_is_not_utf8_is_read_and_a_run_wants_another(gatework: Command, place: Path) -> None:
    text, run = os.fsdecode(b"t\xff.txt"), os.fsdecode(b"r\xff")
    Path("text.txt").rename(text)
    done = gatework("train", "text", text, "--out", run, *SMALL)
    assert (done.status, done.err) == (
        2,
        "gatework: r\\xff is not UTF-8, as checkpoints need it: name another folder\n",
    )
    assert gatework("train", "text", text, "--out", "new", *SMALL).status == 0
    assert gatework("train", "text", text, "--resume", "--out", "new", "--steps", 10).status == 0


def test_a_terminal_that_is_hung_up_ends_a_command_as_ctrl_c_does(
    gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tempfile.gettempdir()
    before = set(Path(kept).glob("gatework-*"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        monkeypatch.setattr("gatework.cli.score.is_jsonl", lambda *_, number=number: signal.raise_signal(number))
        monkeypatch.setattr(
            "gatework.text.data.prepare.prepare", lambda *_, number=number, **__: signal.raise_signal(number)
        )
        done = gatework("score", "run", "text.txt")
        assert (done.status, done.err) == (130, "gatework: interrupted\n")
    assert set(Path(kept).glob("gatework-*")) <= before
