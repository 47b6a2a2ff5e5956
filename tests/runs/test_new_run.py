"""A run on its way: who may write to it, and what becomes of it when a process fails or is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gatework import InputError
from gatework.files.lock import NAME
from gatework.runs.folder import FORMAT
from gatework.runs.new_run import NewRun, aside_of, check_free, new_run, open_to_write, recover
from gatework.training.progress import BEST, LAST

STAGES = ["begun", "filled", "placed", "kept"]


def a_run(folder: Path, name: str, checkpoint: str | None = LAST) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"format": FORMAT, "name": name}))
    if checkpoint is not None:
        (folder / checkpoint).write_bytes(b"weights")


def name_of(folder: Path) -> str:
    return str(json.loads((folder / "run.json").read_text())["name"])


def reach(new: NewRun, stage: str, checkpoint: str = LAST) -> None:
    if stage != "begun":
        a_run(new.folder, "new", None)
    if stage in ("placed", "kept"):
        new.place()
    if stage == "kept":
        (new.out / checkpoint).write_bytes(b"weights")


class FailedError(Exception):
    pass


@pytest.fixture(params=[False, True], ids=["new", "overwriting"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, with or without a run to be replaced."""
    here = tmp_path / "here"
    here.mkdir()
    if request.param:
        a_run(here / "run", "former")
    return here


def as_expected(here: Path, stage: str, *, former: bool) -> None:
    run = here / "run"
    if stage == "kept":
        assert name_of(run) == "new"
    elif former:
        assert name_of(run) == "former"
        assert (run / LAST).read_bytes() == b"weights"
    else:
        assert not run.exists()
    assert [path.name for path in here.iterdir() if path != run] == []


@pytest.mark.parametrize("how", [FailedError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("stage", STAGES)
def test_what_fails_or_is_ended_changes_nothing_without_a_checkpoint(
    place: Path, stage: str, how: type[BaseException]
) -> None:
    former = (place / "run").exists()
    with pytest.raises(how), new_run(place / "run", overwrite=True) as new:
        reach(new, stage)
        raise how
    as_expected(place, stage, former=former)
    assert not (place / "run" / NAME).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_to_end_undoes_it_too(place: Path, stage: str, number: signal.Signals) -> None:
    former = (place / "run").exists()
    with pytest.raises(KeyboardInterrupt), new_run(place / "run", overwrite=True) as new:
        reach(new, stage)
        signal.raise_signal(number)
    as_expected(place, stage, former=former)


@pytest.mark.parametrize("checkpoint", [BEST, LAST])
@pytest.mark.parametrize("stage", STAGES)
def test_what_a_killed_process_left_is_undone_by_the_next(
    place: Path, tmp_path: Path, stage: str, checkpoint: str
) -> None:
    former = (place / "run").exists()
    dead = tmp_path / "dead"
    with pytest.raises(FailedError), new_run(place / "run", overwrite=True) as new:
        reach(new, stage, checkpoint)
        shutil.copytree(place, dead)  # without the lock, which is the living process's
        raise FailedError
    assert aside_of(dead / "run").is_dir()
    recover(dead / "run")
    as_expected(dead, stage, former=former)


def test_a_process_killed_between_two_renames_loses_no_run(tmp_path: Path) -> None:
    a_run(tmp_path / "run", "former")
    with pytest.raises(FailedError), new_run(tmp_path / "run", overwrite=True) as new:
        reach(new, "filled")
        (new.aside / "placed").touch()
        (tmp_path / "run").rename(new.aside / "former")
        shutil.copytree(tmp_path, dead := tmp_path / "dead")
        raise FailedError
    with pytest.raises(InputError, match="exists: --resume goes on with it"):
        check_free(dead / "run")
    as_expected(dead, "filled", former=True)


def test_a_folder_that_a_user_put_there_meanwhile_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(FailedError), new_run(tmp_path / "run") as new:
        reach(new, "placed")
        shutil.copytree(tmp_path, dead := tmp_path / "dead")
        raise FailedError
    shutil.rmtree(dead / "run")
    (dead / "run").mkdir()
    (dead / "run" / "thesis.tex").write_text("all I have")
    with pytest.raises(InputError, match="exists and is no run"):
        check_free(dead / "run")
    assert (dead / "run" / "thesis.tex").read_text() == "all I have"


def ways(run: Path) -> dict[str, AbstractContextManager[object]]:
    return {
        "new": new_run(run),
        "overwriting": new_run(run, overwrite=True),
        "of a kind that is not resumed": new_run(run, overwrite=True, resumable=False),
        "resuming": open_to_write(run),
    }


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", list(ways(Path())))
def test_one_process_at_a_time_makes_a_run(place: Path, stage: str, way: str) -> None:
    run = place / "run"
    with new_run(run, overwrite=True) as new:
        reach(new, stage)
        if way == "resuming" and not run.exists():
            return  # there is nothing to go on with
        with pytest.raises(
            InputError, match=rf"run is in use by process {os.getpid()} on \S+, since \d{{4}}-\d\d-\d\d"
        ):
            ways(run)[way].__enter__()


@pytest.mark.parametrize("way", list(ways(Path())))
def test_one_process_at_a_time_goes_on_with_a_run(tmp_path: Path, way: str) -> None:
    run = tmp_path / "run"
    a_run(run, "only")
    before = sorted(path.name for path in run.iterdir())
    with open_to_write(run):
        with pytest.raises(InputError, match=rf"run is in use by process {os.getpid()} on"):
            ways(run)[way].__enter__()
        assert name_of(run) == "only"
    assert sorted(path.name for path in run.iterdir()) == before
    assert list(tmp_path.iterdir()) == [run]


HOLDER = """
import sys
from pathlib import Path
from gatework.files.lock import Lock
with Lock(Path(sys.argv[1]), "it is in use"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_process_that_dies_does_not_keep_its_lock(tmp_path: Path) -> None:
    run = tmp_path / "run"
    a_run(run, "only")
    command = [sys.executable, "-c", HOLDER, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"in use by process {process.pid} on"), open_to_write(run):
            pass
        process.kill()
        process.wait()
    assert (run / NAME).exists()
    with open_to_write(run):
        pass
    assert not (run / NAME).exists()


def test_a_lock_that_says_nothing_of_its_holder_still_holds(tmp_path: Path) -> None:
    with open_to_write(tmp_path):
        (tmp_path / NAME).write_bytes(b"")
        with pytest.raises(InputError, match="is in use by another process: wait for it"), open_to_write(tmp_path):
            pass


def test_a_lock_is_not_removed_by_who_no_longer_holds_it(tmp_path: Path) -> None:
    with open_to_write(tmp_path):
        (tmp_path / NAME).unlink()
        (tmp_path / NAME).write_text("another's")
    assert (tmp_path / NAME).read_text() == "another's"
