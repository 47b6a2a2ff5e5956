"""What a model answers must be numbers: weights that are all finite may still overflow on the way."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from gatework.errors import InputError

Tensor = Any  # of torch, which what runs without it does not import


class Named(Protocol):
    """What has weights with names, as every module of torch."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...


def check_answer(values: Tensor, model: Named) -> None:
    """Raises InputError, naming the largest weight, unless all values are finite."""
    if bool(values.isfinite().all()):
        return
    raise overflow(
        {name: float(weight.detach().abs().max()) for name, weight in model.named_parameters() if weight.numel()}
    )


def overflow(sizes: Mapping[str, float]) -> InputError:
    """What to raise where a model answers no numbers; sizes: the largest absolute number of each of its weights."""
    largest = max(sizes, key=sizes.__getitem__)
    return InputError(
        f"the model answers nan or inf: its weights overflow, the largest is {sizes[largest]:.3g} in {largest}; "
        "use another checkpoint, or train anew with a lower learning rate"
    )
