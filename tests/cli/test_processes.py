"""The command as a process of its own: signals, pipes, and several processes under torchrun."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_toys import MODEL, QUIET, SMALL, Command, rows, torchrun, tree

GATEWORK = [sys.executable, "-m", "gatework"]
LONG = f"train text text.txt --out new {MODEL} --dropout 0.2 --decay none --evaluate-every 10".split()


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*GATEWORK, *map(str, arguments)]
    return subprocess.Popen(command, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Sends a signal once a step was told; returns the status and what was said after it."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch "):
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.slow
def test_ctrl_c_and_kill_lose_nothing(gatework: Command, place: Path) -> None:
    status, out, err = stopped(start(*LONG, "--steps", 10**6), signal.SIGINT)
    assert (status, err) == (130, "gatework: interrupted\n")
    assert "interrupted at step" in out
    assert out.endswith("go on with: gatework train text --resume --out new\n")

    resumed = start("train", "text", "--resume", "--out", "new", "--save-every", 0)
    status, out, err = stopped(resumed, signal.SIGKILL)
    assert (status, err) == (-signal.SIGKILL, "")
    assert not Path("new/results.json").exists()

    last = int(Path("new/metrics.csv").read_text().splitlines()[-2].split(",")[0]) + 20
    done = gatework("train", "text", "--resume", "--out", "new", "--steps", last)
    assert f"finished at step {last}" in done.out
    whole = [*LONG, "--steps", last]
    assert gatework(*["whole" if word == "new" else word for word in whole]).status == 0
    assert rows(Path("new")) == rows(Path("whole"))


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(place: Path) -> None:
    Path("long.txt").write_bytes(b"abcdef\n" * 2000)
    with start("score", "run", "long.txt", "--each") as process:
        assert process.stdout is not None and process.stderr is not None
        assert "\t" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1, "as Python ends on a broken pipe"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is a thing of Linux")
def test_output_that_cannot_be_written_is_an_error_of_one_line(place: Path) -> None:
    command = [str(Path(sys.executable).with_name("gatework")), "cells"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, env=QUIET, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "gatework: No space left on device\n")


# -- torchrun


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_all_streams(gatework: Command, place: Path) -> None:
    options = [*SMALL, "--streams", "4", "--epochs", "1"]
    assert gatework("train", "text", "text.txt", "--out", "one", *options).status == 0
    done = torchrun("train", "text", "text.txt", "--out", "two", *options)
    assert done.returncode == 0, done.stderr
    one, two = rows(Path("one")), rows(Path("two"))
    assert len(one) == len(two) == 9
    for single, pair in zip(one, two, strict=True):
        assert single.keys() == pair.keys()
        for name in single:
            if single[name] == "":
                assert pair[name] == ""
            else:
                assert float(pair[name]) == pytest.approx(float(single[name]), rel=1e-4), name
    names = [{path.name for path in Path(run).iterdir()} for run in ("one", "two")]
    assert names[0] == names[1]
    assert done.stdout.count("finished at step 8") == done.stdout.count("next: gatework sample two") == 1
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_two_processes_fail_together_and_leave_nothing(place: Path) -> None:
    before = tree(place)
    done = torchrun("train", "text", "missing.txt", "--out", "new", *SMALL, "--streams", "4")
    assert done.returncode == 1
    assert done.stderr.count("gatework: missing.txt does not exist") == 1
    assert done.stderr.count("Traceback") == 1, "torchrun's own"
    assert tree(place) == before


INTERRUPT = """
import os, signal, sys
from contextlib import contextmanager
from gatework.cli.app import _run as run
from gatework.text import train as language
from gatework.training import processes

here, where, rank = os.environ["RANK"], sys.argv.pop(1), sys.argv.pop(1)
batch, describe, interruption, share = (
    language.LanguageBatches.__getitem__, language.describe, processes.interruption, language.share
)

def terminate():
    signal.raise_signal(signal.SIGTERM)

def terminated_batch(self, k):
    if k == 5:
        terminate()
    return batch(self, k)

def terminated_describe(*arguments, **values):
    describe(*arguments, **values)
    terminate()

def terminated_share(*arguments):
    @contextmanager
    def asked():
        with interruption() as flag:
            terminate()
            yield flag
    processes.interruption = asked
    return share(*arguments)

if here == rank and where == "training":
    language.LanguageBatches.__getitem__ = terminated_batch
elif here == rank == "0":
    language.describe = terminated_describe
elif here == rank:
    language.share = terminated_share
sys.argv[sys.argv.index("--out") + 1] = "two" + rank
status = run()
assert status == 0, status  # torchrun takes another status of one process for a crash
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])  # whose signal it is
@pytest.mark.parametrize("where", ["preparing", "training"])
def test_a_termination_of_either_process_stops_all_in_order(
    gatework: Command, place: Path, where: str, rank: str
) -> None:
    Path("worker.py").write_text(INTERRUPT)
    before = tree(place)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "worker.py"]
    options = ["train", "text", "text.txt", "--out", "two", *SMALL, "--streams", "4", "--steps", "100000"]
    done = subprocess.run(
        [*command, where, rank, *options], env=QUIET, capture_output=True, text=True, check=False, timeout=300
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    if where == "preparing":
        assert done.stderr.count("gatework: interrupted\n") == 1
        assert tree(place) == before
        return
    assert done.stdout.count("interrupted at step") == 1
    run = f"two{rank}"
    assert (
        done.stdout.count(f"go on with: torchrun --nproc-per-node 2 -m gatework train text --resume --out {run}\n") == 1
    )
    assert gatework("train", "text", "--resume", "--out", run, "--steps", "12").status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_during_preparation_leaves_nothing(
    gatework: Command, place: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(place)
    monkeypatch.setattr("gatework.text.data.prepare.marks", lambda _: signal.raise_signal(number))
    for options in (["--out", "new"], ["--out", "run", "--overwrite"]):
        done = gatework("train", "text", "text.txt", *options, *SMALL)
        assert (done.status, done.out, done.err) == (130, "", "gatework: interrupted\n")
        assert tree(place) == before
