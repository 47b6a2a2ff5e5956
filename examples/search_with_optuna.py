"""Searches units and a learning rate for handwritten digits: python examples/search_with_optuna.py

Needs optuna and scikit-learn. A trial whose validation falls behind that of the others at the same step ends early.
"""

import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import gatework as gw
from gatework.training.events import Event, Report, Validation


def reporting_to(trial: optuna.Trial, losses: list[float]) -> Report:
    """Keeps the validation losses; what it raises ends the training of a trial that is pruned."""

    def report(event: Event) -> None:
        if isinstance(event, Validation) and event.step > 0:
            losses.append(event.loss)
            trial.report(event.loss, event.step)
            if trial.should_prune():
                raise optuna.TrialPruned

    return report


def search(trials: int = 20, steps: int = 200) -> optuna.Study:
    """The study; a trial's value is its least validation loss."""
    pixels, y = load_digits(return_X_y=True)
    X, _, y, _ = train_test_split(pixels.reshape(-1, 8, 8), y, test_size=0.25, stratify=y, random_state=0)

    def objective(trial: optuna.Trial) -> float:
        losses: list[float] = []
        gw.SequenceClassifier(
            hidden=trial.suggest_int("hidden", 8, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True),
            summary="mean",
            steps=steps,
            validation=0.2,
            random_state=0,
            report=reporting_to(trial, losses),
        ).fit(X, y)
        return min(losses)

    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
    study.optimize(objective, n_trials=trials)
    return study


if __name__ == "__main__":
    found = search()
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in found.trials)
    print(
        f"best of {len(found.trials)} trials, {pruned} of them ended early: {found.best_value:.4f} {found.best_params}"
    )
