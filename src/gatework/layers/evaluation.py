"""A module as it is outside training, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def outside_training(module: nn.Module) -> Iterator[None]:
    """In evaluation mode; what was in training mode before is so again afterwards, part by part."""
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        yield
    finally:
        for each in training:
            each.training = True
