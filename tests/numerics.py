"""What tests of engines and layers share: bounds for a comparison, and small random sequences."""

import torch
from torch import Tensor

from gatework.verify.check import BOUNDS, CANCELLED
from gatework.verify.comparison import Errors, compare


def same(actual: Tensor, expected: Tensor, what: str = "values", floor: float = 0.0) -> Errors:
    """Equal but for the rounding of the coarser of the two dtypes."""
    bounds = max((BOUNDS[value.dtype] for value in (actual, expected)), key=lambda bounds: bounds.rms)
    return compare(actual, expected, rms=bounds.rms, peak=bounds.peak, what=what, floor=floor)


def all_same(actual, expected) -> None:
    """As `same`, for each value of two tuples, or of two mappings with the same keys: gradients of one loss.

    Of these one may cancel, and is measured against at least a part of the largest, as in `gatework verify`.
    """
    floor = 0.0
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        finite = (value.double()[value.isfinite()] for value in expected.values())
        floor = CANCELLED * max(value.square().sum().div(max(len(value), 1)).sqrt().item() for value in finite)
        actual, expected = (tuple(values.values()) for values in (actual, expected))
    for index, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        same(found, wanted, f"value {index}", floor)


def random(*shape: int, dtype: torch.dtype = torch.float64, requires_grad: bool = False) -> Tensor:
    return torch.randn(*shape, dtype=dtype).requires_grad_(requires_grad)


def randomise(module: torch.nn.Module, scale: float = 0.5) -> torch.nn.Module:
    """Fills every parameter with random numbers, so that none hides at 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, scale)
    return module


def gradients(module: torch.nn.Module, loss: Tensor, *inputs: Tensor) -> dict[str, Tensor]:
    """dL/d(input) by position and dL/d(parameter) by name; zeros where the loss does not depend on it."""
    leaves = {str(index): value for index, value in enumerate(inputs)} | dict(module.named_parameters())
    found = torch.autograd.grad(loss, tuple(leaves.values()), materialize_grads=True, retain_graph=True)
    return dict(zip(leaves, found, strict=True))


def weighed(*values: Tensor, seed: int = 7) -> Tensor:
    """A loss that every number of the values moves differently: their sum, weighed at random."""
    generator = torch.Generator().manual_seed(seed)
    return sum((v * torch.randn(v.shape, generator=generator, dtype=torch.float64).to(v)).sum() for v in values)
