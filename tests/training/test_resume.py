import errno
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn
from training_toys import Streams, Told, Toy, rows, run_toy

from gatework.errors import InputError
from gatework.files.writing import write_json
from gatework.training import session
from gatework.training.checkpoint import load_checkpoint, save_checkpoint
from gatework.training.events import Notice, Resumed, Saved, Step, TrainingError

PATH = os.pathsep.join([str(Path(__file__).parents[1] / "toys"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


def assert_same_run(a: Path, b: Path) -> None:
    """The files of two runs are the same, but for what the clock decides."""
    assert rows(a) == rows(b)
    for name in ("last.safetensors", "best.safetensors"):
        one, other = load_checkpoint(a / name), load_checkpoint(b / name)
        assert one.tensors.keys() == other.tensors.keys()
        for key, tensor in one.tensors.items():
            assert torch.equal(tensor, other.tensors[key]), key
        seconds = {"elapsed", "budget", "step_seconds", "evaluation_seconds", "save_seconds"}
        kept = [{k: v for k, v in asdict(each.progress).items() if k not in seconds} for each in (one, other)]
        assert kept[0] == kept[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "optimizer": "adamw", "precision": "bfloat16"}])
@pytest.mark.parametrize("at", [1, 3, 4, 5, 7])
def test_a_run_that_was_interrupted_goes_on_as_if_never_stopped(
    tmp_path: Path, at: int, options: dict[str, object], number: int
) -> None:
    whole, first, second = Told(), Told(at, lambda: signal.raise_signal(number)), Told()
    run_toy(tmp_path / "whole", whole, **options)
    part = run_toy(tmp_path / "parts", first, **options)
    assert (part.why, part.step) == ("interrupted", at)
    assert load_checkpoint(part.last).progress.step == at

    torch.manual_seed(0)  # what the second process starts with must not matter
    model = Toy()
    nn.init.zeros_(model.output.weight)
    rest = run_toy(tmp_path / "parts", second, model=model, resume=True, **options)
    assert rest.why == "finished"
    assert second.of(Resumed)[0].step == at
    assert first.losses + second.losses == whole.losses
    assert [step.clipped_share for step in second.of(Step)] == [step.clipped_share for step in whole.of(Step)[at:]]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_run_can_be_interrupted_at_every_step(tmp_path: Path) -> None:
    whole, losses = Told(), []
    run_toy(tmp_path / "whole", whole)
    for at in range(1, 13):
        told = Told(at, lambda: signal.raise_signal(signal.SIGINT))
        run_toy(tmp_path / "parts", told, resume=at > 1)
        losses += told.losses
    assert losses == whole.losses
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_device_that_runs_ahead_gives_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_toy(tmp_path / "whole")
    monkeypatch.setitem(session._AHEAD, "cpu", 3)  # as on a GPU, where reading a loss is to wait
    first, second = Told(6, lambda: signal.raise_signal(signal.SIGINT)), Told()
    part = run_toy(tmp_path / "parts", first)
    assert (part.why, part.step) == ("interrupted", 7)
    run_toy(tmp_path / "parts", second, resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")

    model = Toy()
    told = Told(3, lambda: model.output.bias.data.fill_(math.nan))
    with pytest.raises(TrainingError, match=r"^the loss is nan at step 4: .*last\.safetensors \(step 0\)"):
        run_toy(tmp_path / "bad", told, model=model, evaluate=None)


def test_signals_are_handled_as_before_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    inside = []
    run_toy(tmp_path, Told(1, lambda: inside.append(signal.getsignal(signal.SIGINT))))
    assert inside[0] is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_signal_aborts_at_once_with_the_checkpoint_good(tmp_path: Path) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    told = Told(6, twice)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path, told, save_every=0)
    assert told.of(Step)[-1].step == 6
    assert load_checkpoint(tmp_path / "last.safetensors").progress.step == 5
    assert run_toy(tmp_path, resume=True).why == "finished"


def test_outside_the_main_thread_signals_are_left_alone(tmp_path: Path) -> None:
    results = []
    thread = threading.Thread(target=lambda: results.append(run_toy(tmp_path)))
    thread.start()
    thread.join()
    assert results[0].why == "finished"


CHILD = """
import os
import sys
from pathlib import Path
from gatework.training.events import Saved, Step
from training_toys import Told, run_toy

saves = 0

run, moment, fsync = Path(sys.argv[1]), sys.argv[2], os.fsync

def wait():
    print("here", flush=True)
    sys.stdin.read()  # until the parent kills us

class Watched(Told):
    saves = 0

    def __call__(self, event):
        self.saves += isinstance(event, Saved)
        if moment == "step" and isinstance(event, Step) and event.step == 7:
            wait()

def watched(descriptor):
    if moment == "save" and told.saves >= 6 and (run / ".last.safetensors.new").exists():
        wait()
    fsync(descriptor)

told = Watched()
os.fsync = watched
run_toy(run, told, save_every=0 if moment == "save" else 1e6)
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["step", "save"])
def test_a_run_that_was_killed_goes_on_as_if_never_stopped(tmp_path: Path, moment: str) -> None:
    whole, rest, parts = Told(), Told(), tmp_path / "parts"
    environment = os.environ | {"PYTHONPATH": PATH, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-c", CHILD, str(parts), moment]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        child.kill()
    assert child.returncode == -signal.SIGKILL
    reached = int(rows(parts)[-1][0])
    kept = load_checkpoint(parts / "last.safetensors").progress.step
    assert kept < reached
    assert (parts / ".last.safetensors.new").exists() == (moment == "save")

    run_toy(tmp_path / "whole", whole)
    run_toy(parts, rest, resume=True)
    assert rest.losses == whole.losses[kept:]
    assert rows(parts) == rows(tmp_path / "whole")
    assert not (parts / ".last.safetensors.new").exists()


def test_a_finished_run_can_be_given_more_steps(tmp_path: Path) -> None:
    run_toy(tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    told = Told()
    result = run_toy(tmp_path, told, resume=True)
    assert (result.why, result.step, result.loss, told.losses) == ("finished", 12, None, [])
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert not told.of(Saved)
    run_toy(tmp_path, told, resume=True, steps=14)
    assert [step.step for step in told.of(Step)] == [13, 14]


def test_a_disk_that_fills_up_costs_the_steps_since_the_last_checkpoint_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    first, second, whole = Told(6, lambda: monkeypatch.setattr(os, "fsync", full)), Told(), Told()
    with pytest.raises(InputError, match=r"^cannot write .*: No space left on device"):
        run_toy(tmp_path / "parts", first, save_every=0)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "parts" / "last.safetensors").progress.step == 5
    run_toy(tmp_path / "parts", second, resume=True)
    run_toy(tmp_path / "whole", whole)
    assert first.losses[:5] + second.losses == whole.losses
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"last\.safetensors does not exist: there is no checkpoint of a run in"):
        run_toy(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def stop_at_7(run: Path, **options: object) -> None:
    run_toy(run, Told(7, lambda: signal.raise_signal(signal.SIGINT)), **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batches": Streams(batches=6)}, "was made with batches = 5, not 6: resume with the same data and settings"),
        ({"accumulate": 2}, "was made with accumulate = 1, not 2: "),
        ({"model": nn.Linear(2, 2)}, "does not fit this model: it lacks bias, weight"),
    ],
)
def test_a_run_is_resumed_with_its_own_data_and_model(tmp_path: Path, options: dict[str, object], match: str) -> None:
    stop_at_7(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=match):
        run_toy(tmp_path, resume=True, **options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tensors: tensors.pop("optimizer.gru.bias_hh_l0.exp_avg"), "it lacks gru.bias_hh_l0.exp_avg$"),
        (lambda tensors: tensors.update({"optimizer.x.step": torch.ones(())}), "it holds x.step, which"),
        (lambda tensors: tensors.update({"model.output.bias": torch.ones(3)}), r"output.bias has shape \[3\], and"),
        (lambda tensors: tensors.update({"state.x": torch.ones(1, 4, 6)}), "it lacks 1$"),
        (lambda tensors: tensors.update({"state.0": torch.ones(4)}), "the states of 0 streams, which 1 processes"),
    ],
)
def test_tensors_that_are_not_the_runs_are_named(
    tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object], match: str
) -> None:
    stop_at_7(tmp_path)
    checkpoint = load_checkpoint(tmp_path / "last.safetensors")
    change(checkpoint.tensors)
    save_checkpoint(checkpoint.path, checkpoint.tensors, checkpoint.progress)
    with pytest.raises(InputError, match=f"last.safetensors .*{match}"):
        run_toy(tmp_path, resume=True)


def test_a_damaged_checkpoint_is_not_resumed(tmp_path: Path) -> None:
    stop_at_7(tmp_path)
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"last\.safetensors is damaged"):
        run_toy(tmp_path, resume=True)
    write_json(path, {"not": "tensors"})
    with pytest.raises(InputError, match=r"last\.safetensors is damaged or no checkpoint"):
        run_toy(tmp_path, resume=True)


def test_a_checkpoint_from_elsewhere_is_resumed_with_a_notice(tmp_path: Path) -> None:
    stop_at_7(tmp_path)
    checkpoint = load_checkpoint(tmp_path / "last.safetensors")
    checkpoint.progress.written_by["torch"] = "1.0"
    save_checkpoint(checkpoint.path, checkpoint.tensors, checkpoint.progress)
    told = Told()
    assert run_toy(tmp_path, told, resume=True).why == "finished"
    assert [notice.message for notice in told.of(Notice)] == [
        "the checkpoint was written with torch 1.0: losses may differ in the last digits"
    ]
