"""Examples that follow a training with other tools: what they log, and that a search ends trials early."""

import runpy
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


class Run:
    """What a tool was given to keep: values by name, each with its step."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.facts: dict[str, Any] = {}
        self.config, self.summary = self.facts, self.facts

    def log(self, figures: dict[str, float], step: int = 0) -> None:
        for name, value in figures.items():
            self.points.setdefault(name, []).append((step, value))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Stands for a run of MLflow, by functions of its module, and of Weights & Biases, by its object."""
    run = Run()

    @contextmanager
    def start(**_: Any) -> Any:
        yield run

    mlflow, wandb = ModuleType("mlflow"), ModuleType("wandb")
    vars(mlflow).update(
        set_tracking_uri=lambda uri: run.facts.update(uri=uri),
        start_run=start,
        log_params=run.facts.update,
        log_metrics=run.log,
        log_metric=lambda name, value, step=0: run.log({name: value}, step),
        set_tag=lambda name, value: run.facts.update({name: value}),
        log_artifacts=lambda folder: run.facts.update(artifacts=folder),
    )
    vars(wandb).update(init=start)
    for module in (mlflow, wandb):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return run


def test_a_language_model_is_logged_to_mlflow(kept: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("some words, and some words again\n" * 200)
    example("log_to_mlflow")["main"]("text.txt", "run", steps=40)
    assert kept.facts["uri"].startswith("sqlite:///")
    assert (kept.facts["steps"], kept.facts["ended"], kept.facts["artifacts"]) == (40, "finished", "run")
    assert [step for step, _ in kept.points["loss"]] == [20, 40]
    assert [step for step, _ in kept.points["validation loss"]] == [0, 40]
    assert 0 < kept.points["test bits per character"][0][1] < 8
    assert Path("run", "best.safetensors").is_file()


def test_an_estimator_is_logged_to_weights_and_biases(kept: Run) -> None:
    accuracy = example("log_to_wandb")["main"](steps=20)
    assert kept.facts["accuracy"] == accuracy
    assert kept.facts["steps"] == 20 and "report" not in kept.facts
    assert [step for step, _ in kept.points["loss"]] == list(range(1, 21))
    assert kept.points["validation loss"][-1][0] == 20


def test_a_search_ends_trials_that_fall_behind() -> None:
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = example("search_with_optuna")["search"](trials=8, steps=100)
    states = [trial.state.name for trial in study.trials]
    assert states[:4] == ["COMPLETE"] * 4, "until there is something to compare with"
    assert "PRUNED" in states and set(states) == {"COMPLETE", "PRUNED"}
    ended = [len(trial.intermediate_values) for trial in study.trials if trial.state.name == "PRUNED"]
    assert min(ended) < len(study.trials[0].intermediate_values)
    assert study.best_value == min(trial.value for trial in study.trials if trial.value is not None)
