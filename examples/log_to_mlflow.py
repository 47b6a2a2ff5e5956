"""Trains a language model on a text and logs it to MLflow, in a file here: python examples/log_to_mlflow.py TEXT OUT

Needs mlflow, or mlflow-skinny, sqlalchemy and alembic. `mlflow ui --backend-store-uri sqlite:///mlflow.db` shows it.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import mlflow

from gatework.cells import find_cell
from gatework.text.options import Text
from gatework.text.train import train_text
from gatework.training.events import Event, Step, Stopped, Validation
from gatework.training.settings import Settings

EVERY = 20  # steps between two points of a curve


def log(event: Event) -> None:
    """Logs the losses, and how the training ended."""
    match event:
        case Step() if event.step % EVERY == 0:
            figures = {"loss": event.loss, "learning rate": event.learning_rate, "gradient norm": event.gradient_norm}
            mlflow.log_metrics(figures, step=event.step)
        case Validation():
            mlflow.log_metric("validation loss", event.loss, step=event.step)
        case Stopped():
            mlflow.set_tag("ended", event.why)


def main(text: str, out: str, steps: int = 500) -> None:
    """Trains for so many steps; the run folder is logged as an artifact."""
    settings = Settings(steps=steps, evaluate_every=100)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    with mlflow.start_run(run_name=out):
        mlflow.log_params(asdict(settings))
        outcome = train_text(Text((text,)), Path(out), find_cell("lstm"), settings, report=log)
        if outcome.test is not None:
            mlflow.log_metric("test bits per character", outcome.test.bits_per_character)
        mlflow.log_artifacts(out)


if __name__ == "__main__":
    main(*sys.argv[1:3])
