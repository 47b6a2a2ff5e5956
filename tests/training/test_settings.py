import dataclasses
import json
import math

import pytest

from gatework.errors import InputError
from gatework.training.settings import MEASURED, Settings, learning_rate, plan_steps


def test_settings_survive_json() -> None:
    settings = Settings(steps=5, clip=None, minutes=1.5)
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_every_setting_has_a_check() -> None:
    for field in dataclasses.fields(Settings):
        with pytest.raises(InputError, match=rf"^{field.name} = .*object.*is expected$"):
            Settings(**({"steps": 1} | {field.name: object()}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", 1.0),
        ("steps", True),
        ("epochs", -1),
        ("minutes", 0),
        ("minutes", math.nan),
        ("minutes", math.inf),
        ("learning_rate", 0.0),
        ("learning_rate", None),
        ("optimizer", "sgd"),
        ("weight_decay", -0.1),
        ("warmup", -1),
        ("decay", None),
        ("final", 1.5),
        ("clip", 0),
        ("accumulate", 0),
        ("evaluate_every", 0),
        ("patience", 0),
        ("seed", 2**63),
        ("precision", "float16"),
        ("save_every", -1),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^{name} = {value!r}: .* is expected"):
        Settings(**({"steps": 1} | {name: value}))  # type: ignore[arg-type]


def test_a_run_needs_an_end() -> None:
    with pytest.raises(InputError, match="give steps, epochs or minutes"):
        Settings()


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(InputError, match="unknown setting 'stepz': the settings are steps, "):
        Settings.from_dict({"stepz": 3})


def test_the_sooner_of_steps_and_epochs_ends_the_run() -> None:
    assert Settings(steps=50, epochs=2).total(20) == 40
    assert Settings(steps=30, epochs=2).total(20) == 30
    assert Settings(minutes=2).total(20) is None


def test_the_rate_climbs_stays_and_follows_a_cosine() -> None:
    settings = Settings(steps=120, learning_rate=1.0, warmup=20, final=0.1)
    rates = [learning_rate(settings, step, 120) for step in range(121)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert rates[20] == 1.0
    assert rates[70] == pytest.approx(0.55)  # half way
    assert rates[45] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert rates[120] == pytest.approx(0.1)
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_without_decay_the_rate_stays() -> None:
    settings = Settings(steps=1000, learning_rate=0.5, warmup=2, decay="none")
    assert [learning_rate(settings, step, 1000) for step in (0, 1, 2, 500, 999)] == [0.25, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("warmup", [0, 1, MEASURED, 30])
def test_until_a_plan_is_made_the_rate_does_not_depend_on_it(warmup: int) -> None:
    settings = Settings(minutes=1, warmup=warmup)
    for step in range(settings.steady):
        rates = {learning_rate(settings, step, total) for total in (None, settings.steady + 1, 10**6)}
        assert len(rates) == 1
    assert learning_rate(settings, settings.steady + 1, settings.steady + 10) < settings.learning_rate


def test_past_the_last_step_the_rate_is_the_final_one() -> None:
    assert learning_rate(Settings(steps=20, learning_rate=1.0, warmup=0), 35, 20) == pytest.approx(0.1)


@pytest.mark.parametrize(("step", "evaluation", "every"), [(0.1, 0.0, 1), (0.5, 3.0, 10), (2.0, 30.0, 7)])
def test_a_plan_fills_the_time_and_leaves_room_for_evaluations(step: float, evaluation: float, every: int) -> None:
    steps = plan_steps(300, step=step, evaluation=evaluation, every=every)
    spent = steps * step + (steps // every + 1) * evaluation
    assert 0.8 * 300 < spent <= 300


def test_a_plan_leaves_room_for_checkpoints() -> None:
    steps = plan_steps(300, step=1.0, save=5.0, save_every=30.0)
    assert 0.8 * 300 < steps + (steps // 30 + 1) * 5.0 <= 300


def test_a_plan_has_a_step_even_if_the_time_is_over() -> None:
    assert plan_steps(-5, step=1.0) == plan_steps(5, step=0.0) == 1
