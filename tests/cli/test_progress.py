import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gatework.cli import progress
from gatework.cli.progress import TrainingProgress, clock
from gatework.training.events import Evaluating, Notice, Plan, Resumed, Saved, Step, Stopped, Validation

STEP = Step(
    step=1,
    total=1200,
    epoch=1,
    loss=2.0,
    gradient_norm=0.5,
    clipped=False,
    clipped_share=0.25,
    learning_rate=0.1,
    tokens_per_second=12345.6,
    elapsed=1.0,
    left=3725.0,
)
EVENTS = [
    (Validation(40, 1, 1.0, True, 0.1, 9.0), "step 40: validation 1.443 bits, the best so far"),
    (Validation(1000, 2, 1.0, False, 0.1, 9.0), "step 1,000: validation 1.443 bits"),
    (Validation(40, 1, 1.0, True, 0.1, 9.0, untrained=2.0), "step 40: validation 1.443 bits, the best so far"),
    (
        Validation(40, 1, 1.0, True, 0.1, 9.0, untrained=1.0),
        "step 40: validation 1.443 bits, no better than the 1.443 bits before the first step",
    ),
    (Validation(40, 1, 1.0, False, 0.1, 9.0, untrained=0.5), "step 40: validation 1.443 bits"),
    (
        Validation(40, 1, 1.0, True, 0.1, 9.0, None, "on 8 pieces of 12 bytes"),
        "step 40: validation 1.443 bits on 8 pieces of 12 bytes, the best so far",
    ),
    (Plan(20, 3000, 0.0251, 0.1), "planned 3,000 steps at 25.1 ms a step"),
    (Resumed(1000, None, Path("run/last.safetensors")), "going on after step 1,000 of run/last.safetensors"),
    (Notice("something [red]to[/red] see"), "something [red]to[/red] see"),
    (Stopped(7, "finished", 59.6), "finished at step 7, after 1:00"),
    (Stopped(7, "patience", 3600), "stopped early, as validation no longer improved, at step 7, after 1:00:00"),
    (Stopped(7, "time", 61), "time is up at step 7, after 1:01"),
    (Stopped(7, "interrupted", 1), "interrupted at step 7, after 0:01"),
]


class Clock:
    """A clock that goes when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.seconds)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def console(terminal: bool, width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, highlight=False, soft_wrap=True)


def printed(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_plain_lines_have_all_figures_and_no_control_characters(watch: Clock) -> None:
    screen = console(terminal=False, width=20)
    with TrainingProgress("characters", screen) as shown:
        shown(STEP)
        shown(Saved(1, Path("x")))
    assert printed(screen) == (
        "epoch 1  step 1/1,200  2.885 bits  12,346 characters/s  gradient 0.50 (25% clipped)  1:02:05 left\n"
    )


def test_what_is_not_known_is_left_out(watch: Clock) -> None:
    screen = console(terminal=False)
    with TrainingProgress("bytes", screen) as shown:
        shown(replace(STEP, total=None, left=None))
    assert printed(screen) == "epoch 1  step 1  2.885 bits  12,346 bytes/s  gradient 0.50 (25% clipped)\n"


@pytest.mark.parametrize(("event", "line"), EVENTS, ids=[line for _, line in EVENTS])
def test_every_event_has_a_line(event: Notice, line: str) -> None:
    screen = console(terminal=False, width=20)
    with TrainingProgress("bytes", screen) as shown:
        shown(event)
    assert printed(screen) == f"{line}\n"


def test_what_validation_measures_is_written_in_its_own_way(watch: Clock) -> None:
    screen = console(terminal=False)
    with TrainingProgress("symbols", screen, figure="loss {:.1f}".format, judged="{:.1%} wrong".format) as progress:
        progress(STEP)
        progress(Validation(40, 1, 0.25, True, 0.1, 9.0, untrained=0.125))
    step, validation = printed(screen).splitlines()
    assert "step 1/1,200  loss 2.0  " in step
    assert validation == "step 40: validation 25.0% wrong, no better than the 12.5% wrong before the first step"


def test_plain_lines_come_every_ten_seconds_and_at_the_end(watch: Clock) -> None:
    screen = console(terminal=False)
    with TrainingProgress("bytes", screen) as shown:
        for step in range(1, 1201):
            watch.seconds += 0.1
            shown(replace(STEP, step=step))
    steps = [line.split()[3] for line in printed(screen).splitlines()]
    assert len(steps) == 13
    assert (steps[0], steps[-1]) == ("1/1,200", "1,200/1,200")


def test_the_loss_shown_is_at_first_the_mean_then_follows_slowly(watch: Clock) -> None:
    shown = TrainingProgress("bytes", console(terminal=False))
    losses = [2.0, 4.0, 9.0]
    for step, loss in enumerate(losses, 701):  # a resumed run
        shown(replace(STEP, step=step, loss=loss))
    assert shown.loss == pytest.approx(5.0)
    for step in range(704, 2000):
        shown(replace(STEP, step=step, loss=1.0))
    assert shown.loss == pytest.approx(1.0, abs=1e-3)


def test_a_terminal_has_one_line_that_changes(watch: Clock) -> None:
    screen = console(terminal=True)
    with TrainingProgress("characters", screen) as shown:
        shown.say("what is trained")
        for step in (1, 2, 3):
            watch.seconds += 1
            shown(replace(STEP, step=step))
        shown(Validation(3, 1, 1.0, True, 0.1, 9.0))
        watch.seconds += 1
        shown(replace(STEP, step=4))
    text = printed(screen)
    for words in ("what is trained\n", "step 1/1,200", "step 3/1,200", "the best so far\n", "step 4/1,200"):
        assert words in text
    assert "\x1b[?25l" in text and "\x1b[?25h" in text, "the cursor is hidden, and back at the end"
    assert text.count("\x1b[2K") >= 4, "the line is written over"


def test_a_terminal_is_not_drawn_faster_than_it_can_be_read(watch: Clock) -> None:
    screen = console(terminal=True)
    with TrainingProgress("bytes", screen) as shown:
        for step in range(1, 1000):
            watch.seconds += 0.001
            shown(replace(STEP, step=step))
    assert 9 <= printed(screen).count("gradient") <= 12


def test_a_narrow_terminal_cuts_the_line_and_does_not_wrap_it(watch: Clock) -> None:
    screen = console(terminal=True, width=30)
    with TrainingProgress("characters", screen) as shown:
        shown(STEP)
        watch.seconds += 1
        shown(replace(STEP, step=2))
    text = printed(screen)
    assert "epoch 1  step 1/1,200  2.885 …" in text
    assert "gradient" not in text
    assert text.count("\x1b[1A") == 1, "one line to go over, and that at the end"


@pytest.mark.parametrize(("terminal", "seconds", "lines"), [(True, 11, 100), (False, 9, 0), (False, 35, 3)])
def test_an_evaluation_says_how_far_it_is_where_lines_stay_only_one_that_lasts(
    watch: Clock, terminal: bool, seconds: int, lines: int
) -> None:
    screen = console(terminal)
    with TrainingProgress("bytes", screen) as shown:
        for what in ("validation text", "held-out text"):
            for done in range(20, 2001, 20):
                watch.seconds += seconds / 100
                shown(Evaluating(what, done, 2000))
            assert abs(printed(screen).count(f"{what}: ") - lines) <= terminal
    assert ("held-out text: 59% of 2,000 bytes" in printed(screen)) == bool(lines)


def test_reading_is_shown_on_a_terminal_only(watch: Clock) -> None:
    for terminal in (True, False):
        screen = console(terminal)
        with TrainingProgress("bytes", screen) as shown:
            shown.reading(3_000_000, 12_000_000)
            shown.reading(3_100_000, 12_000_000)
            watch.seconds += 1
            shown.reading(0, 0)
        text = printed(screen)
        assert ("reading the text: 25% of 12.0 MB" in text) == terminal
        assert "26%" not in text


def test_the_line_goes_when_the_training_fails(watch: Clock) -> None:
    screen = console(terminal=True)

    def fail() -> None:
        with TrainingProgress("bytes", screen) as shown:
            shown(STEP)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert printed(screen).endswith("\x1b[2K")


def test_seconds_as_a_clock_has_them() -> None:
    assert [clock(seconds) for seconds in (0, 59.4, 59.6, 3599.4, 3600, 86400 + 61)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:00:00",
        "24:01:01",
    ]


@pytest.mark.parametrize("seconds", [0, 11])
def test_work_that_lasts_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    now = iter(range(0, 99, max(1, seconds)))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.bar("training") as told:
        told(1, 1200, 0.5)
    assert capsys.readouterr().err == ("training: 1 of 1,200\n" if seconds else "")
