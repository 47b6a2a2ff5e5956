"""What a run tells of itself, to the digit: times by a clock that the tests set, plans and means by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence
from training_toys import H, Learned, Slow, Streams, Time, Told, Toy, run_toy, settings

from gatework.errors import InputError
from gatework.training.checkpoint import load_checkpoint, save_checkpoint
from gatework.training.events import Saved, Step, Stopped, Validation
from gatework.training.processes import World, launch
from gatework.training.session import _tokens
from gatework.training.settings import Settings, plan_steps
from gatework.training.torchrun import first_process, under_torchrun
from gatework.training.update import Learner


def test_a_step_tells_its_time_its_speed_and_what_is_left(tmp_path: Path) -> None:
    told, time = Told(), Time()
    run_toy(tmp_path, told, model=Slow(time), clock=time, evaluate=None)
    steps = told.of(Step)
    assert [step.elapsed for step in steps] == list(range(1, 13))
    assert {step.tokens_per_second for step in steps} == {12.0}  # 3 steps of 4 streams, a second each
    assert [step.left for step in steps] == list(range(11, -1, -1))
    assert told.events[-1] == Stopped(12, "finished", 12.0)


def test_an_evaluation_tells_its_step_epoch_and_time(tmp_path: Path) -> None:
    told, time = Told(), Time()
    result = run_toy(tmp_path, told, model=Slow(time), clock=time)  # of 5 batches an epoch
    judged = told.of(Validation)
    assert [(each.step, each.epoch, each.seconds, each.elapsed) for each in judged] == [
        (0, 1, 2.5, 2.5),
        (4, 1, 2.5, 9.0),
        (8, 2, 2.5, 15.5),
        (12, 3, 2.5, 22.0),
    ]
    assert (result.validation, result.epoch, result.elapsed) == (judged[-1].loss, 3, 22.0)


def test_an_epoch_of_one_step_is_counted_too(tmp_path: Path) -> None:
    told = Told()
    assert run_toy(tmp_path, told, batches=Streams(batches=1), steps=4).epoch == 4
    assert [step.epoch for step in told.of(Step)] == [1, 2, 3, 4]


def test_the_share_of_clipped_steps_is_of_all_so_far_over_a_stop_as_well(tmp_path: Path) -> None:
    told, rest, whole = Told(), Told(), Told()
    options: dict[str, Any] = {"clip": 0.45, "evaluate": None}
    run_toy(tmp_path / "a", told, steps=7, decay="none", **options)
    result = run_toy(tmp_path / "a", rest, steps=12, decay="none", resume=True, **options)
    run_toy(tmp_path / "b", whole, decay="none", **options)
    clipped = [step.gradient_norm > 0.45 for step in whole.of(Step)]
    assert 0 < sum(clipped) < 12
    shares = [sum(clipped[:k]) / k for k in range(1, 13)]
    assert [step.clipped_share for step in (*told.of(Step), *rest.of(Step))] == pytest.approx(shares)
    assert result.clipped_share == pytest.approx(shares[-1])


def test_a_checkpoint_knows_what_a_step_an_evaluation_and_a_checkpoint_take(tmp_path: Path) -> None:
    time = Time()
    run_toy(tmp_path, Told(), model=Slow(time), clock=time)
    known = load_checkpoint(tmp_path / "last.safetensors").progress
    assert (known.step_seconds, known.evaluation_seconds, known.elapsed) == (1.0, 2.5, 22.0)
    assert (known.step, known.epoch, known.batch, known.batches, known.accumulate) == (12, 2, 2, 5, 1)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"step": 1.0}, 95),  # of 100 seconds 95 are planned
        (
            {"step": 2.0, "evaluation": 15.0, "every": 5},
            16,
        ),  # 15 for the last evaluation; a step with its share takes 5
        ({"step": 1.0, "save": 5.0}, 90),
        ({"step": 1.0, "save": 5.0, "save_every": 20.0}, 72),  # of 25 seconds 5 go into a checkpoint
        ({"step": 1.0, "save_every": 20.0}, 95),
        ({"step": 0.0}, 1),
        ({"step": 1000.0}, 1),
    ],
)
def test_a_plan_is_what_is_left_of_the_time_over_what_a_step_takes(given: dict[str, float], steps: int) -> None:
    assert plan_steps(100.0, **given) == steps  # type: ignore[arg-type]


def test_tokens_are_the_steps_and_streams_of_the_first_tensor() -> None:
    x = torch.zeros(5, 3, 7)
    assert _tokens(x) == _tokens((x, torch.zeros(3))) == _tokens([(x, 1), 2]) == 15
    assert _tokens(torch.zeros(4)) == 4
    assert _tokens(()) == _tokens("text") == 0


def world(rank: int = 0, size: int = 1) -> World:
    return World(rank, size, torch.device("cpu"), "float32")


def averaged(grads: Sequence[Tensor], told: Tensor) -> tuple[Tensor, list[int]]:
    """What a process of two replaces its gradients by, where the other one has the same but three times as large."""
    sizes: list[int] = []

    class Two(World):
        def mean(self, tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return 2 * tensor

    made = Learner(Toy(), settings(), Two(0, 2, torch.device("cpu"), "float32"))
    return made._average(list(grads), told), sizes


def test_gradients_and_what_is_told_are_averaged_in_one_message() -> None:
    grads = [torch.arange(6.0).reshape(2, 3), torch.tensor(7.0), torch.arange(3.0)]
    wanted = [2 * grad for grad in grads]
    told, sizes = averaged(grads, torch.tensor([0.5, 1.0]))
    assert sizes == [12]
    assert told.tolist() == [1, 2]
    assert all(torch.equal(grad, want) for grad, want in zip(grads, wanted, strict=True))


def test_each_process_takes_its_streams_of_a_carried_state(tmp_path: Path) -> None:
    run_toy(tmp_path, model=Learned())
    kept = load_checkpoint(tmp_path / "last.safetensors")
    made = Learner(Learned(), settings(), launch())
    shares = []
    for rank in (0, 1):
        made.world = world(rank, 2)
        shares.append(made._share(kept, kept.tensors["state.0"]))
    assert [share.shape for share in shares] == [(1, 2, H)] * 2
    assert torch.equal(torch.cat(shares, 1), kept.tensors["state.0"])
    made.world = world(0, 3)
    with pytest.raises(InputError, match="states of 4 streams, which 3 processes cannot share equally"):
        made._share(kept, kept.tensors["state.0"])
    with pytest.raises(InputError, match="states of 0 streams, which 3 processes"):
        made._share(kept, torch.zeros(6))


def test_another_process_draws_other_masks_and_another_step_too() -> None:
    made, drawn = Learner(Toy(), settings(seed=1), launch()), []
    for rank, step in ((0, 0), (0, 0), (1, 0), (0, 1)):
        made.world = world(rank)
        made.seed(step)
        drawn.append(torch.rand(4).tolist())
    assert drawn[0] == drawn[1]
    assert len({tuple(each) for each in drawn}) == 3


@pytest.mark.parametrize(("rank", "local", "size"), [(0, 0, 2), (1, 1, 2), (5, 1, 6)])
def test_a_process_has_the_place_that_torchrun_gives_it(
    monkeypatch: pytest.MonkeyPatch, rank: int, local: int, size: int
) -> None:
    asked: list[Any] = []
    assert not under_torchrun()
    assert launch("bfloat16", "cpu") == World(0, 1, torch.device("cpu"), "bfloat16")
    for name, value in (("RANK", rank), ("LOCAL_RANK", local), ("WORLD_SIZE", size), ("TORCHELASTIC_RUN_ID", "x")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("torch.distributed.init_process_group", lambda kind, **_: asked.append(kind))
    assert launch("bfloat16", "cpu") == World(rank, size, torch.device("cpu"), "bfloat16")
    assert (under_torchrun(), first_process()) == (True, rank == 0)
    assert asked == ["gloo"]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", asked.append)
    for device in ("auto", "cuda"):
        assert launch(device=device).device == torch.device("cuda", local)
    assert asked[1:] == 2 * [torch.device("cuda", local), "nccl"]


def test_several_processes_on_the_gpu_of_a_mac_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 2), ("TORCHELASTIC_RUN_ID", "x")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    with pytest.raises(InputError, match=r"device 'mps' cannot be used: 2 processes compute on 'cpu' or 'cuda'"):
        launch(device="mps")


def test_batches_of_any_kind_go_to_the_device() -> None:
    class Pair(NamedTuple):
        x: Tensor
        lengths: list[Tensor]

    batch = {"pair": Pair(torch.ones(2), [torch.ones(3)]), "name": "first", "packed": pack_sequence([torch.ones(2, 1)])}
    moved = World(0, 1, torch.device("meta"), "float32").to_device((batch, None))
    assert isinstance(moved, tuple)
    assert moved[1] is None
    pair = moved[0]["pair"]
    assert isinstance(pair, Pair)
    assert [pair.x.device.type, pair.lengths[0].device.type, moved[0]["packed"].data.device.type] == ["meta"] * 3
    assert moved[0]["name"] == "first"


@pytest.mark.parametrize("fields", [["class"], ["h", "h"], ["def", "h"]])
def test_a_carried_state_may_have_any_names(tmp_path: Path, fields: list[str]) -> None:
    """A name that Python has taken for itself becomes a place of the tuple."""
    run_toy(tmp_path, model=Learned(), evaluate=None)
    kept = load_checkpoint(tmp_path / "last.safetensors")
    tensors = kept.tensors | {f"state.{k}": kept.tensors["state.0"] for k in range(len(fields))}
    kept.progress.fields = fields
    save_checkpoint(tmp_path / "odd.safetensors", tensors, kept.progress)
    made = Learner(Learned(), settings(), launch())
    made.restore(load_checkpoint(tmp_path / "odd.safetensors"))
    assert made.state is not None
    assert len(made.state) == len(fields)
    assert all(torch.equal(part, kept.tensors["state.0"]) for part in made.state)


def test_adam_and_adamw_are_what_their_names_say() -> None:
    kinds = {}
    for name in ("adam", "adamw"):
        made = Learner(Toy(), settings(optimizer=name, weight_decay=0.2, learning_rate=0.3), launch()).optimizer
        kinds[type(made)] = [(group["weight_decay"], group["lr"]) for group in made.param_groups]
    assert kinds == {torch.optim.Adam: [(0.2, 0.3), (0.0, 0.3)], torch.optim.AdamW: [(0.2, 0.3), (0.0, 0.3)]}


def test_checkpoints_are_told_with_their_step_and_place(tmp_path: Path) -> None:
    told = Told()
    run_toy(tmp_path, told, evaluate=None, steps=3)
    last = tmp_path / "last.safetensors"
    assert told.of(Saved) == [Saved(0, last), Saved(3, last)]


def test_a_budget_needs_as_many_steps_as_the_warm_up_or_ten() -> None:
    assert [Settings(minutes=1, warmup=warmup).steady for warmup in (0, 10, 11)] == [10, 10, 11]
