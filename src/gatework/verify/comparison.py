"""The one comparison of numbers, for tests and for `gatework verify`: within bounds, or it raises."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Errors:
    """How far values are from what was expected, in units of the expected values' root mean square.

    `rms` is the error's own root mean square, `peak` its largest value; of a value that exceeds the root mean square,
    in units of that value. Where all expected values are 0, both are 0 for zeros and infinite for anything else.
    """

    rms: float = 0.0
    peak: float = 0.0

    def within(self, bounds: "Errors") -> bool:
        return self.rms <= bounds.rms and self.peak <= bounds.peak

    def __or__(self, other: "Errors") -> "Errors":
        """The larger of each figure."""
        return Errors(max(self.rms, other.rms), max(self.peak, other.peak))

    def __str__(self) -> str:
        return f"rms {self.rms:.2e}, peak {self.peak:.2e}"


class Mismatch(AssertionError):  # noqa: N818 - what pytest shows as a failed assertion
    """Values differ from those expected; `errors` are the figures, infinite where there is nothing to measure."""

    def __init__(self, message: str, errors: Errors) -> None:
        super().__init__(message)
        self.errors = errors


INCOMPARABLE = Errors(math.inf, math.inf)


def compare(
    actual: Tensor, expected: Tensor, *, rms: float, peak: float, what: str = "values", floor: float = 0.0
) -> Errors:
    """The errors of `actual` against `expected`, both taken in float64; raises Mismatch where they pass a bound.

    Shapes must be equal: nothing is broadcast. NaN and infinities must stand where they are expected, and
    nowhere else; they count for neither figure. Dtypes and devices may differ. `floor` is the least root mean
    square to measure against, for values that may cancel.
    """
    shapes = f"{what}: {list(actual.shape)} {actual.dtype}"
    if actual.shape != expected.shape:
        raise Mismatch(f"{shapes} where {list(expected.shape)} was expected", INCOMPARABLE)
    actual64, expected64 = (value.detach().to("cpu", torch.float64) for value in (actual, expected))
    same = (actual64 == expected64) | (actual64.isnan() & expected64.isnan())
    finite = actual64.isfinite() & expected64.isfinite()
    if not bool((same | finite).all()):
        raise Mismatch(f"{shapes}: {_place(actual64, expected64, ~(same | finite))}", INCOMPARABLE)
    error = torch.where(same, 0, actual64 - expected64).abs()
    errors = _measure(error, torch.where(finite, expected64, 0), int(finite.sum()), floor)
    if not errors.within(Errors(rms, peak)):
        worst = _place(actual64, expected64, error == error.max())
        raise Mismatch(f"{shapes}: {errors} (bounds {rms:.2e}, {peak:.2e}); worst {worst}", errors)
    return errors


def _measure(error: Tensor, expected: Tensor, count: int, floor: float) -> Errors:
    """The figures of absolute errors, where `count` of the expected values are numbers and the rest are 0."""
    if not bool(error.any()):
        return Errors()
    largest = max(float(expected.abs().max()), floor)
    if largest == 0:
        return INCOMPARABLE

    def root_mean_square(values: Tensor) -> float:  # of values scaled to 1 at most, so that no square overflows
        return float((values / largest).square().sum().div(count).sqrt())

    scale = max(root_mean_square(expected), floor / largest)
    units = (expected.abs() / largest).clamp(min=scale)
    return Errors(root_mean_square(error) / scale, float((error / largest / units).max()))


def _place(actual: Tensor, expected: Tensor, bad: Tensor) -> str:
    """The first bad place and what stands there."""
    index = tuple(bad.nonzero()[0].tolist())
    return f"at {list(index)}: {actual[index].item():.9g} where {expected[index].item():.9g} was expected"
