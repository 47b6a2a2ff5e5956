"""The weights of a run: a model with them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from gatework.errors import InputError
from gatework.training.checkpoint import check_shapes, load_weights
from gatework.training.events import Result
from gatework.training.progress import weights_of

Model = TypeVar("Model", bound=torch.nn.Module)


def check_built(untrained: Callable[..., torch.nn.Module], checkpoint: Path) -> None:
    """Refuses sizes that are not a checkpoint's, before a model of these sizes takes memory."""
    with torch.device("meta"):
        check_shapes(checkpoint, untrained(engine="auto"))


def with_best(model: Model, result: Result) -> Model:
    """A model that was just trained with its best weights, if any were evaluated, on the CPU, in evaluation mode."""
    model = model.cpu().eval()
    if result.best_path is not None:
        load_weights(result.best_path, model)
    return model


def trained(untrained: Callable[..., Model], folder: Path, device: str) -> Model:
    """A model with the run's best weights, or the last where none were evaluated, on a device, in evaluation mode.

    untrained: builds it, with the run's engine or another one.
    """
    path = weights_of(folder)
    check_built(untrained, path)
    model = untrained()
    load_weights(path, model)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
        raise InputError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
