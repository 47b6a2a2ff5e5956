import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_toys import H, Learned, Streams, Told, rows, run_toy

from gatework.training.checkpoint import load_checkpoint
from numerics import same

pytestmark = pytest.mark.slow  # as soon as one of them starts two processes

PATH = os.pathsep.join([str(Path(__file__).parents[1] / "toys"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)

# Every scenario in one go: the processes take seconds to start.
PAIR = """
import json, signal, sys
from pathlib import Path
import torch
from torch import nn
from gatework.errors import InputError
from gatework.training.processes import launch
from training_toys import Streams, Told, Toy, Learned, run_toy, stop

world = launch(device="cpu")
rank, out = world.rank, Path(sys.argv[1])
share = slice(2 * rank, 2 * rank + 2)

def losses(name, told=None, **options):
    told = told or Told()
    options = {"model": Learned(), "batches": Streams(share=share)} | options
    result = run_toy(out / name, told, world=world, **options)
    return [told.losses, result.why, result.step, result.best]

def refused(name, **options):
    try:
        losses(name, **options)
    except InputError as error:
        return str(error)

answers = {"world": world.size, "rank": rank}
answers["plain"] = losses("plain")
answers["accumulated"] = losses("accumulated", accumulate=2, optimizer="adamw", clip=0.3)
torch.manual_seed(rank)
odd = Learned()
if rank == 1:
    nn.init.zeros_(odd.output.weight)
answers["unequal start"] = losses("unequal", model=odd)
answers["resumed from one"] = losses("one", resume=True)
# A signal that reaches one process only, here the second, stops both at the same step.
masks = []
class Masked(Toy):
    def forward(self, inputs, targets, state):
        masks.append(self.dropout(torch.ones(64)).tolist())
        return super().forward(inputs, targets, state)
losses("masks", model=Masked())
answers["masks"] = {"masks": masks}
answers["dropout"] = losses("dropout", model=Toy())
batches = Streams(share=share)
class Signalling(Streams):
    def __getitem__(self, index):
        self.count = getattr(self, "count", 0) + 1
        if rank == 1 and self.count == 7:
            signal.raise_signal(signal.SIGTERM)
        return super().__getitem__(index)
answers["stopped"] = losses("parts", model=Toy(), batches=Signalling(share=share))
answers["rest"] = losses("parts", model=Toy(), resume=True)
answers["stopped for one"] = losses("for one", batches=Signalling(share=share))
answers["asked"] = losses("asked", Told(5, stop))  # the first process alone is asked
# Clocks that do not agree: 1 second for each look in the first process, 2 in the second.
looks = iter(range(0, 10**6, rank + 1))
answers["planned"] = losses("planned", steps=None, minutes=10, clock=lambda: next(looks))
answers["batches differ"] = refused("x", batches=Streams(batches=4 + rank, share=share))
answers["streams differ"] = refused("y", batches=Streams(share=slice(0, 1 + rank)), steps=1)
answers["odd streams"] = refused("odd", batches=Streams(share=share), resume=True)
Path(out, f"rank{rank}.json").write_text(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")


@pytest.fixture(scope="module")
def pair(folder: Path) -> list[dict[str, object]]:
    """What two processes told of their runs."""

    def stop() -> None:
        signal.raise_signal(signal.SIGINT)

    run_toy(folder / "one", Told(7, stop), model=Learned())
    run_toy(folder / "odd", Told(7, stop), model=Learned(), batches=Streams(streams=3))
    script = folder / "pair.py"
    script.write_text(PAIR)
    loopback = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": PATH, "PYTHONWARNINGS": "error"}
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), str(folder)]
    with subprocess.Popen(
        [sys.executable, *command], env=os.environ | loopback, stdout=-1, stderr=subprocess.STDOUT, text=True
    ) as started:
        try:
            told, _ = started.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            started.terminate()  # so that torchrun ends the processes that wait for each other
            told, _ = started.communicate()
    assert started.returncode == 0, told
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]


def alone(run: Path, **options: object) -> list[float]:
    """The losses of one process with all streams."""
    told = Told()
    run_toy(run, told, **options)
    return told.losses


def test_both_processes_tell_the_same_end(pair: list[dict[str, object]]) -> None:
    assert [each["world"] for each in pair] == [2, 2]
    for name, answer in pair[0].items():
        if isinstance(answer, list):
            assert pair[1][name][1:] == answer[1:], name  # type: ignore[index]
            assert pair[1][name][0] == [], "the second process reports nothing"  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain", {}),
        ("accumulated", {"accumulate": 2, "optimizer": "adamw", "clip": 0.3}),
        ("unequal start", {}),
    ],
)
def test_two_processes_with_half_the_streams_have_the_losses_of_one_with_all(
    tmp_path: Path, pair: list[dict[str, object]], name: str, options: dict[str, object]
) -> None:
    losses, why, step, best = pair[0][name]  # type: ignore[misc]
    one = Told()
    result = run_toy(tmp_path, one, model=Learned(), **options)
    assert losses == pytest.approx(one.losses, rel=1e-5)
    assert (why, step) == ("finished", 12)
    assert best == pytest.approx(result.best, rel=1e-5)


def test_two_processes_write_the_files_of_one(tmp_path: Path, folder: Path, pair: list[dict[str, object]]) -> None:
    run_toy(tmp_path, model=Learned())
    one, two = (load_checkpoint(run / "last.safetensors") for run in (tmp_path, folder / "plain"))
    assert two.tensors.keys() == one.tensors.keys()
    assert two.tensors["state.0"].shape == (1, 4, H)
    for name, tensor in one.tensors.items():
        same(two.tensors[name], tensor, name)
    assert two.progress.written_by["processes"] == 2
    assert [row[0] for row in rows(folder / "plain")] == [row[0] for row in rows(tmp_path)]


def test_two_processes_go_on_from_the_checkpoint_of_one(tmp_path: Path, pair: list[dict[str, object]]) -> None:
    losses, why, step, _ = pair[0]["resumed from one"]  # type: ignore[misc]
    assert (why, step) == ("finished", 12)
    assert losses == pytest.approx(alone(tmp_path, model=Learned())[7:], rel=1e-5)


def test_one_process_goes_on_from_the_checkpoint_of_two(
    tmp_path: Path, folder: Path, pair: list[dict[str, object]]
) -> None:
    losses, why, step, _ = pair[0]["stopped for one"]  # type: ignore[misc]
    assert why == "interrupted"
    rest = alone(folder / "for one", model=Learned(), resume=True)
    assert losses + rest == pytest.approx(alone(tmp_path, model=Learned()), rel=1e-5)
    assert len(losses) == step


def test_two_processes_stop_where_the_report_asks(pair: list[dict[str, object]]) -> None:
    _, why, step, _ = pair[0]["asked"]  # type: ignore[misc]
    assert (why, 5 <= step < 12) == ("stopped", True)


def test_two_processes_stop_together_and_go_on_as_if_never_stopped(folder: Path, pair: list[dict[str, object]]) -> None:
    first, why, step, _ = pair[0]["stopped"]  # type: ignore[misc]
    assert (why, 0 < step < 12) == ("interrupted", True)
    assert first + pair[0]["rest"][0] == pair[0]["dropout"][0]  # type: ignore[index]
    assert rows(folder / "parts") == rows(folder / "dropout")
    one, two = (load_checkpoint(folder / run / "last.safetensors").tensors for run in ("parts", "dropout"))
    assert all(torch.equal(one[name], two[name]) for name in two)


def test_each_process_and_step_draws_masks_of_its_own(pair: list[dict[str, object]]) -> None:
    masks = [tuple(mask) for each in pair for mask in each["masks"]["masks"] if 0 in mask]  # type: ignore[index]
    assert len(set(masks)) == len(masks) == 24


def test_two_processes_have_one_plan(pair: list[dict[str, object]], folder: Path) -> None:
    _, why, step, _ = pair[0]["planned"]  # type: ignore[misc]
    planned = load_checkpoint(folder / "planned" / "last.safetensors").progress.planned
    assert planned is not None
    assert why in ("finished", "time")  # the second process's clock is the faster one
    assert 10 < step <= planned


def test_shares_that_are_not_equal_are_refused(pair: list[dict[str, object]]) -> None:
    for each in pair:
        assert each["batches differ"] == (
            "the processes have different numbers of batches: give each the same share of the data"
        )
        assert each["streams differ"] == ("the processes have different numbers of streams: give each the same share")
        assert "carries the states of 3 streams, which 2 processes cannot share equally" in str(each["odd streams"])
