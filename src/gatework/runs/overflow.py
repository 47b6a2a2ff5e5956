"""What a model answers must be numbers: weights that are all finite may still overflow on the way."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from gatework.errors import InputError


class Named(Protocol):
    """What has weights with names, as every module of torch."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...


def check_answer(values: Tensor, model: Named) -> None:
    """Raises InputError, naming the largest weight, unless all values are finite."""
    if bool(torch.isfinite(values).all()):
        return
    sizes = {name: float(weight.detach().abs().max()) for name, weight in model.named_parameters() if weight.numel()}
    largest = max(sizes, key=sizes.__getitem__)
    raise InputError(
        f"the model answers nan or inf: its weights overflow, the largest is {sizes[largest]:.3g} in {largest}; "
        "use another checkpoint, or train anew with a lower learning rate"
    )
