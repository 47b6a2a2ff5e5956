import dataclasses
import math
import re
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_toys import (
    Points,
    Slow,
    State,
    Stateless,
    Streams,
    Time,
    Told,
    Toy,
    rows,
    run_toy,
    settings,
    validation,
)

from gatework.errors import InputError
from gatework.training.checkpoint import load_checkpoint, load_weights
from gatework.training.events import Event, Notice, Plan, Saved, Step, Stopped, StopTraining, TrainingError, Validation
from gatework.training.loop import train
from gatework.training.metrics import error_rate
from gatework.training.processes import launch
from gatework.training.settings import Settings, learning_rate


def test_training_lowers_the_loss_and_reports_every_step(tmp_path: Path) -> None:
    told = Told()
    result = run_toy(tmp_path, told, steps=60, model=Toy(dropout=0))
    assert (result.why, result.step, result.total, result.epoch) == ("finished", 60, 60, 12)
    steps = told.of(Step)
    assert [step.step for step in steps] == list(range(1, 61))
    assert [step.epoch for step in steps] == [1 + k // 5 for k in range(60)]
    assert [step.learning_rate for step in steps] == [learning_rate(settings(steps=60), k, 60) for k in range(60)]
    assert all(step.tokens_per_second > 0 and step.elapsed > 0 and step.left is not None for step in steps)
    assert result.loss == told.losses[-1] < told.losses[0] - 0.3
    assert told.events[-1] == Stopped(60, "finished", told.events[-1].elapsed)


def test_the_state_goes_on_within_an_epoch_cut_from_its_past_and_is_reset_after_it(tmp_path: Path) -> None:
    seen: list[State | None] = []

    class Watched(Toy):
        def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
            seen.append(state)
            loss, state = super().forward(inputs, targets, state)
            ends.append(state)
            return loss, state

    ends: list[State] = []
    run_toy(tmp_path, model=Watched(), evaluate=None, steps=11)
    assert [k for k, state in enumerate(seen) if state is None] == [0, 5, 10]
    for before, state in zip(ends, seen[1:], strict=False):
        if state is not None:
            assert type(state) is State
            assert torch.equal(state.h, before.h)
            assert before.h.requires_grad
            assert not state.h.requires_grad


def test_the_loss_is_that_of_backpropagation_by_hand(tmp_path: Path) -> None:
    told = Told()
    run_toy(tmp_path, told, model=Toy(dropout=0), evaluate=None, optimizer="adamw", clip=0.4, weight_decay=0.1)
    model, state, losses, norms = Toy(dropout=0), None, [], []
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices}, {"params": vectors, "weight_decay": 0}], weight_decay=0.1)
    for step in range(12):
        loss, after = model(*Streams()[step % 5], None if step % 5 == 0 else state)
        state = State(after.h.detach())
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.4)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings(), step, 12)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert told.losses == pytest.approx(losses, rel=1e-5)
    assert [step.gradient_norm for step in told.of(Step)] == pytest.approx(norms, rel=1e-4)
    clipped = [norm > 0.4 for norm in norms]
    assert 0 < sum(clipped) < 12
    assert [step.clipped for step in told.of(Step)] == clipped
    assert told.of(Step)[-1].clipped_share == sum(clipped) / 12


def test_without_clipping_the_norm_is_still_told(tmp_path: Path) -> None:
    told = Told()
    assert run_toy(tmp_path, told, clip=None).clipped_share == 0
    assert all(step.gradient_norm > 0 and not step.clipped for step in told.of(Step))


def test_accumulating_equals_a_larger_batch(tmp_path: Path) -> None:
    small, large = Points(batches=8, size=3), Points(batches=2, size=12)
    large.inputs, large.targets = small.inputs.reshape(2, 12, 3), small.targets.reshape(2, 12, 2)
    told, other, models = Told(), Told(), (Stateless(), Stateless())
    run_toy(tmp_path / "a", told, model=models[0], batches=small, evaluate=None, accumulate=4)
    run_toy(tmp_path / "b", other, model=models[1], batches=large, evaluate=None)
    assert told.losses == pytest.approx(other.losses, rel=1e-12)
    assert torch.allclose(models[0].line.weight, models[1].line.weight, rtol=1e-12)
    assert [step.epoch for step in told.of(Step)] == [step.epoch for step in other.of(Step)]


def test_an_epochs_last_step_takes_the_batches_that_are_left(tmp_path: Path) -> None:
    told, asked = Told(), []

    class Watched(Streams):
        def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]:
            asked.append(index)
            return super().__getitem__(index)

        def set_epoch(self, epoch: int) -> None:
            asked.append(-1 - epoch)

    result = run_toy(tmp_path, told, batches=Watched(), accumulate=2, steps=None, epochs=2)
    assert result.step == 6
    assert asked == [-1, 0, 1, 2, 3, 4, -2, 0, 1, 2, 3, 4, -3]


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(tmp_path: Path) -> None:
    losses = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(ord(name))
        told = Told()
        run_toy(tmp_path / name, told, seed=seed)
        losses.append(told.losses)
    assert losses[0] == losses[1] != losses[2]


def test_an_evaluation_changes_nothing(tmp_path: Path) -> None:
    losses = []
    for name, evaluate, every in (("a", None, 4), ("b", validation, 1), ("c", validation, 5)):
        told, model = Told(), Toy()
        run_toy(tmp_path / name, told, model=model, evaluate=evaluate, evaluate_every=every)
        losses.append(told.losses)
        assert model.training
    assert losses[0] == losses[1] == losses[2]


def test_the_model_is_evaluated_before_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    told, modes = Told(), []

    def evaluate(model: nn.Module) -> float:
        modes.append((model.training, torch.is_grad_enabled()))
        return validation(model)

    result = run_toy(tmp_path, told, evaluate=evaluate, evaluate_every=None, steps=12)
    assert [each.step for each in told.of(Validation)] == [0, 5, 10, 12]
    assert set(modes) == {(False, False)}
    assert [row[7] for row in rows(tmp_path)[1:] if row[7]] == [repr(each.loss) for each in told.of(Validation)]
    model = Toy()
    assert load_weights(tmp_path / "best.safetensors", model).step == result.best_step
    assert validation(model.eval()) == result.best == min(each.loss for each in told.of(Validation)[1:])


def test_without_a_better_loss_the_run_ends_early_with_the_best_kept(tmp_path: Path) -> None:
    told, values = Told(), iter([0.5, 3.0, 2.0, 2.5, 2.0, 2.25, 1.0])
    result = run_toy(tmp_path, told, evaluate=lambda _: next(values), evaluate_every=2, patience=3, steps=40)
    assert (result.why, result.step, result.best, result.best_step) == ("patience", 10, 2.0, 4)
    assert [each.best for each in told.of(Validation)] == [False, True, True, False, False, False]
    assert load_checkpoint(tmp_path / "best.safetensors").progress.step == 4
    assert load_checkpoint(tmp_path / "last.safetensors").progress.waited == 3


def test_patience_needs_an_evaluation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="early stopping needs validation data"):
        run_toy(tmp_path / "run", patience=2, evaluate=None)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run_toy(tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(InputError, match="holds a run already: resume it, remove it, or name another folder"):
        run_toy(tmp_path)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot make the folder .*file/run: Not a directory"):
        run_toy(tmp_path / "file" / "run")


def test_no_batch_no_parameter_and_another_precision_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no batch to train on"):
        run_toy(tmp_path / "run", batches=Streams(batches=0))
    with pytest.raises(InputError, match="no parameters to train"):
        run_toy(tmp_path / "run", model=nn.Identity())
    with pytest.raises(InputError, match="launched with another precision than bfloat16"):
        run_toy(tmp_path / "run", world=launch(), precision="bfloat16")
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="device 'warp' cannot be used: "):
        launch(device="warp")
    for device in ("meta", "hip"):
        with pytest.raises(InputError, match=f"'{device}' cannot be used: expected 'auto', 'cuda', 'mps', 'cpu'"):
            launch(device=device)
    with pytest.raises(InputError, match="device '' cannot be used: "):
        launch(device="")
    with pytest.raises(InputError, match="precision = 'int3': 'float32' or 'bfloat16' is expected"):
        launch("int3")


def test_a_state_without_a_batch_dimension_is_a_mistake_in_the_model(tmp_path: Path) -> None:
    class Flat(Stateless):
        def forward(self, inputs: Tensor, targets: Tensor, state: None) -> tuple[Tensor, tuple[Tensor]]:
            return super().forward(inputs, targets, state)[0], (torch.zeros(3),)

    with pytest.raises(TypeError, match="None or a tuple of tensors with the batch on dim 1"):
        run_toy(tmp_path, model=Flat(), batches=Points(2, 2), evaluate=None)


def test_bfloat16_computes_in_it_and_keeps_weights_and_loss_in_float32(tmp_path: Path) -> None:
    kinds = set()

    class Watched(Toy):
        def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
            loss, state = super().forward(inputs, targets, state)
            kinds.add((self.output(self.embedding(inputs)).dtype, loss.dtype))
            return loss, state

    told, exact, model = Told(), Told(), Watched()
    run_toy(tmp_path / "a", told, model=model, precision="bfloat16")
    run_toy(tmp_path / "b", exact)
    assert kinds == {(torch.bfloat16, torch.float32)}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert told.losses != exact.losses
    assert told.losses == pytest.approx(exact.losses, rel=0.02)


def test_a_weight_without_a_gradient_is_left_alone(tmp_path: Path) -> None:
    model = Toy()
    model.unused = nn.Parameter(torch.ones(2, 2))
    model.embedding.weight.requires_grad_(False)
    before = model.embedding.weight.clone()
    run_toy(tmp_path, model=model, weight_decay=0.1, optimizer="adamw")
    assert torch.equal(model.unused, torch.ones(2, 2))
    assert torch.equal(model.embedding.weight, before)
    run_toy(tmp_path, model=model, steps=15, resume=True)


class Doomed(Toy):
    """A toy whose loss is no number from a step on."""

    def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
        loss, state = super().forward(inputs, targets, state)
        self.calls = getattr(self, "calls", 0) + 1
        return loss * (math.nan if self.calls == 8 else 1.0), state


def test_a_loss_that_is_not_finite_names_the_step_and_the_last_good_checkpoint(tmp_path: Path) -> None:
    told, last = Told(), tmp_path / "last.safetensors"
    match = f"^the loss is nan at step 8: .*the last good checkpoint is {re.escape(str(last))} .step 0.$"
    with pytest.raises(TrainingError, match=match):
        run_toy(tmp_path, told, model=Doomed(), evaluate=None)
    assert len(told.losses) == 7
    assert [row[0] for row in rows(tmp_path)[1:]] == [str(step) for step in range(1, 8)]
    assert load_checkpoint(last).progress.step == 0


def test_a_gradient_that_is_not_finite_stops_too(tmp_path: Path) -> None:
    class Steep(Toy):
        def forward(self, inputs: Tensor, targets: Tensor, state: State | None) -> tuple[Tensor, State]:
            loss, state = super().forward(inputs, targets, state)
            return loss + (self.output.bias * 0).square().sum().sqrt(), state  # slope of the root at 0

    with pytest.raises(TrainingError, match=r"^the gradient norm is nan at step 1: "):
        run_toy(tmp_path, model=Steep(), evaluate=None)


def test_a_validation_loss_that_is_not_finite_stops_too(tmp_path: Path) -> None:
    values = iter([1.0, 1.0, math.inf])
    with pytest.raises(TrainingError, match=r"^the validation loss is inf at step 8: "):
        run_toy(tmp_path, evaluate=lambda _: next(values))


def test_what_else_is_measured_is_called_by_its_name(tmp_path: Path) -> None:
    values, told = iter([0.5, 0.5, 0.75, math.nan]), Told()
    with pytest.raises(TrainingError, match=r"^the validation word error rate is nan at step 12: "):
        run_toy(tmp_path, told, evaluate=lambda _: next(values), measure=error_rate("word error rate"))
    assert load_checkpoint(tmp_path / "best.safetensors").progress.best == 0.5


def test_weights_that_are_not_finite_never_reach_the_disk(tmp_path: Path) -> None:
    model = Toy()

    def spoil() -> None:
        with torch.no_grad():
            model.output.bias[0] = math.nan

    with pytest.raises(TrainingError, match=r"model\.output\.bias is not finite after step 5: .*\(step 4\)"):
        run_toy(tmp_path, Told(5, spoil), model=model, evaluate=None, save_every=0)
    assert load_checkpoint(tmp_path / "last.safetensors").progress.step == 4


NO_BETTER = (
    "the validation loss never came below that of the untrained weights: lower the learning rate of 50, or train"
)


@pytest.mark.parametrize(
    ("losses", "said"),
    [([2.0, 3.0, 2.0, 4.0], True), ([2.0, 3.0, 1.9, 4.0], False), ([2.0, 1.0, 3.0, 3.0], False)],
)
def test_a_training_that_never_was_better_than_none_says_so(tmp_path: Path, losses: list[float], said: bool) -> None:
    told, values = Told(), iter(losses)
    run_toy(tmp_path, told, evaluate=lambda _: next(values), learning_rate=50.0)
    assert [notice.message.startswith(NO_BETTER) for notice in told.of(Notice)] == [True] * said
    assert [judged.untrained for judged in told.of(Validation)] == [2.0] * 4
    assert any(judged.improved for judged in told.of(Validation)) != said


def test_a_run_that_goes_on_remembers_how_it_began(tmp_path: Path) -> None:
    first, second = iter([2.0, 3.0, 3.0, 3.0]), iter([2.5, 2.5])
    run_toy(tmp_path, evaluate=lambda _: next(first))
    told = Told()
    run_toy(tmp_path, told, evaluate=lambda _: next(second), steps=16, resume=True)
    assert [(judged.best, judged.improved, judged.untrained) for judged in told.of(Validation)] == [(True, False, 2.0)]
    assert [notice.message.split(":")[0] for notice in told.of(Notice)] == [NO_BETTER.split(":", maxsplit=1)[0]]


@pytest.mark.parametrize(("steps", "rate", "said"), [(60, 50.0, True), (60, 0.05, False), (49, 50.0, False)])
def test_without_a_validation_the_losses_of_many_steps_are_held_against_the_first(
    tmp_path: Path, steps: int, rate: float, said: bool
) -> None:
    told = Told()
    run_toy(tmp_path, told, evaluate=None, steps=steps, learning_rate=rate)
    expected = "the loss of the last 50 steps never came below that of the untrained weights: lower the learning rate"
    assert [notice.message.startswith(expected) for notice in told.of(Notice)] == [True] * said


@pytest.mark.parametrize(
    ("clip", "remedy"),
    [(None, "lower the learning rate of 0.05, or clip the gradient;"), (0.5, "clip the gradient at less than 0.5;")],
)
def test_numbers_that_are_not_finite_name_the_settings_that_may_mend_them(
    tmp_path: Path, clip: float | None, remedy: str
) -> None:
    with pytest.raises(TrainingError, match=remedy):
        run_toy(tmp_path, model=Doomed(), evaluate=None, clip=clip)


def test_a_buffer_may_be_infinite(tmp_path: Path) -> None:
    model = Toy()
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    assert run_toy(tmp_path, model=model).why == "finished"


def test_checkpoints_come_at_the_start_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    told, time = Told(), Time()
    run_toy(tmp_path, told, model=Slow(time), clock=time, save_every=5, evaluate=None)
    assert [saved.step for saved in told.of(Saved)] == [0, 5, 10, 12]


def test_minutes_alone_are_planned_after_the_warm_up_and_kept_to(tmp_path: Path) -> None:
    told, time = Told(), Time()
    result = run_toy(tmp_path, told, model=Slow(time), clock=time, steps=None, minutes=2, evaluate_every=20)
    (plan,) = told.of(Plan)
    assert (plan.step, plan.step_seconds, plan.evaluation_seconds) == (10, 1.0, 2.5)
    assert (result.why, result.step, result.total) == ("finished", plan.total, plan.total)
    assert 100 < time.now - 100 <= 120
    assert [step.total for step in told.of(Step)] == [None] * 10 + [plan.total] * (plan.total - 10)
    assert all(step.left is not None and step.left <= 120 for step in told.of(Step))
    assert told.of(Validation)[-1].step == plan.total

    given = Told()
    run_toy(tmp_path / "steps", given, steps=plan.total, evaluate_every=20)
    assert given.losses == told.losses
    assert rows(tmp_path / "steps") == rows(tmp_path)


def test_a_budget_of_minutes_goes_on_where_it_was(tmp_path: Path) -> None:
    told, time = Told(), Time()
    options = {"steps": None, "minutes": 2, "evaluate_every": 20, "clock": time}
    run_toy(tmp_path / "a", told, model=Slow(time), **options)
    total = told.of(Plan)[0].total
    for name, at in (("planned", 30), ("not yet planned", 8)):
        time.now, part, rest = 100.0, Told(), Told()
        part.at, part.do = at, lambda: signal.raise_signal(signal.SIGINT)
        first = run_toy(tmp_path / name, part, model=Slow(time), **options)
        assert (first.why, first.step) == ("interrupted", at)
        time.now += 1000  # the time between the parts does not count
        second = run_toy(tmp_path / name, rest, model=Slow(time), resume=True, **options)
        assert (second.why, second.step) == ("finished", total)
        assert second.elapsed == pytest.approx(told.events[-1].elapsed)
        assert part.losses + rest.losses == told.losses
        assert rows(tmp_path / name) == rows(tmp_path / "a")


def test_a_plan_that_time_cut_short_gets_the_minutes_once_more(tmp_path: Path) -> None:
    time, part, rest, given = Time(), Told(), Told(), Told()
    slow = Slow(time, lambda step: 1.0 if step <= 10 else 1.5)
    options = {"steps": None, "minutes": 1, "evaluate_every": 30, "clock": time}
    first = run_toy(tmp_path / "a", part, model=slow, **options)
    total = part.of(Plan)[0].total
    assert (first.why, first.total) == ("time", total)
    assert first.step < total
    assert part.of(Validation)[-1].step == first.step  # so that what it learned can be the best
    assert first.validation == part.of(Validation)[-1].loss
    second = run_toy(tmp_path / "a", rest, model=Slow(time), resume=True, **options)
    assert (second.why, second.step) == ("finished", total)
    run_toy(tmp_path / "b", given, steps=total, evaluate_every=30)
    assert part.losses + rest.losses == given.losses
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_further_minutes_are_planned_anew(tmp_path: Path) -> None:
    time, part, rest = Time(), Told(), Told()
    options = {"steps": None, "minutes": 1, "clock": time, "evaluate": None}
    first = run_toy(tmp_path, part, model=Slow(time), **options)
    assert first.why == "finished"
    again = run_toy(tmp_path, model=Slow(time), resume=True, **options)
    assert (again.why, again.step, again.loss) == ("finished", first.step, None)
    before = time.now
    second = run_toy(tmp_path, rest, model=Slow(time), resume=True, further_minutes=2, **options)
    (plan,) = rest.of(Plan)
    assert plan.step == first.step + 10
    assert (second.why, second.step) == ("finished", plan.total)
    assert 100 < time.now - before <= 120


@pytest.mark.parametrize("further", [0, -1])
def test_further_minutes_are_positive_and_for_resuming(tmp_path: Path, further: float) -> None:
    with pytest.raises(InputError, match=f"further_minutes = {further}: "):
        run_toy(tmp_path, resume=True, further_minutes=further)
    with pytest.raises(InputError, match="further_minutes = 1: "):
        run_toy(tmp_path, further_minutes=1)


def test_minutes_beside_steps_limit_each_part(tmp_path: Path) -> None:
    time, losses, whys = Time(), [], ["time"]
    while whys[-1] == "time":  # 6 seconds a part, a second a step, and 2.5 each evaluation
        told = Told()
        options = {"model": Slow(time), "clock": time, "minutes": 0.1, "resume": len(whys) > 1}
        whys.append(run_toy(tmp_path / "a", told, steps=15, **options).why)
        losses += told.losses
        assert not told.of(Plan)
    assert whys[1:] == ["time", "time", "time", "finished"]
    told = Told()
    run_toy(tmp_path / "b", told, steps=15)
    assert losses == told.losses
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_events_and_results_cannot_be_changed(tmp_path: Path) -> None:
    result = run_toy(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.step = 3  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Step, Validation])
def test_a_report_ends_the_training_which_can_go_on(tmp_path: Path, kind: type[Event]) -> None:
    told, rest, whole = Told(), Told(), Told()

    def report(event: Event) -> None:
        told(event)
        if isinstance(event, kind) and event.step == 4:  # type: ignore[union-attr]
            raise StopTraining

    result = run_toy(tmp_path / "parts", report, evaluate_every=4)  # type: ignore[arg-type]
    assert (result.why, result.step) == ("stopped", 4)
    assert told.events[-1] == Stopped(4, "stopped", told.events[-1].elapsed)  # type: ignore[union-attr]
    assert load_checkpoint(tmp_path / "parts" / "last.safetensors").progress.step == 4
    run_toy(tmp_path / "parts", rest, evaluate_every=4, resume=True)
    run_toy(tmp_path / "whole", whole, evaluate_every=4)
    assert told.losses + rest.losses == whole.losses


def test_what_a_report_raises_is_passed_on_once_the_run_is_saved(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("the server is gone")

    told, rest, whole = Told(4, fail), Told(), Told()
    with pytest.raises(ValueError, match="the server is gone"):
        run_toy(tmp_path / "parts", told)
    assert told.events[-1] == told.of(Step)[-1], "it is not called again"
    assert load_checkpoint(tmp_path / "parts" / "last.safetensors").progress.step == 4
    assert run_toy(tmp_path / "parts", rest, resume=True).why == "finished"
    run_toy(tmp_path / "whole", whole)
    assert told.losses + rest.losses == whole.losses


def test_a_run_reports_to_nobody_by_default(tmp_path: Path) -> None:
    result = train(Toy(), Streams(), Settings(steps=2), tmp_path, tensorboard=False)
    assert (result.step, result.best, result.best_path, result.validation) == (2, None, None, None)
