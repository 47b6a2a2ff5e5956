"""Learns handwritten digits and logs to Weights & Biases: WANDB_MODE=offline python examples/log_to_wandb.py

Needs wandb and scikit-learn. Without WANDB_MODE=offline, and logged in, the curves are at wandb.ai as they grow.
"""

import wandb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import gatework as gw
from gatework.training.events import Event, Step, Validation


def main(steps: int = 400) -> float:
    """Trains, logs the losses as they come, and the accuracy, which is returned."""
    pixels, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(pixels.reshape(-1, 8, 8), y, stratify=y, random_state=0)
    with wandb.init(project="gatework-digits") as run:

        def log(event: Event) -> None:
            match event:
                case Step():
                    run.log({"loss": event.loss, "learning rate": event.learning_rate}, step=event.step)
                case Validation() if event.step > 0:
                    run.log({"validation loss": event.loss}, step=event.step)

        model = gw.SequenceClassifier(steps=steps, validation=0.2, summary="mean", random_state=0, report=log)
        run.config.update({name: value for name, value in model.get_params().items() if name != "report"})
        accuracy = float(model.fit(X_train, y_train).score(X_test, y_test))
        run.summary["accuracy"] = accuracy
    return accuracy


if __name__ == "__main__":
    print(f"{main():.1%} of the held-out digits are right")
