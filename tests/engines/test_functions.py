"""The native engine's own exp, tanh and the rest within the errors that vectors.h states, and functions of rows."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import gatework as gw
from gatework.core import _native
from gatework.lowering.codes import CODES
from gatework.verify.comparison import compare

HEADER = Path(__file__).parents[2] / "native" / "vectors.h"
LARGEST, TINY = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)

# In float64; none loses digits where float32 has some.
EXACT: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "log": np.log,
    "softplus": lambda x: np.logaddexp(0, x),
    "logsigmoid": lambda x: -np.logaddexp(0, -x),
}
STATED = {name: int(bound) for name, bound in re.findall(rf"\b({'|'.join(EXACT)}) (\d+)[,.]", HEADER.read_text())}
on_each = pytest.mark.parametrize("isa", _native.isas())
for_each = pytest.mark.parametrize("name", EXACT)


def native(isa: str, name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.resize(x, -(-len(x) // 16) * 16)
    result = np.empty_like(padded)
    _native.map(isa, CODES[name], padded, result)
    return result[: len(x)]


def exact(name: str, x: NDArray[np.float32]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        return EXACT[name](x.astype(np.float64))


def sampled() -> NDArray[np.float32]:
    """Every number of a stride through all of float32, and many where the functions bend and where they end."""
    strided = np.arange(0, 2**32, 4093, dtype=np.uint32).view(np.float32)  # NaN and denormals among them
    bends = [np.linspace(low, high, 200_000, dtype=np.float32) for low, high in ((-110, 110), (-20, 20), (-1, 1))]
    near_one = np.linspace(0.5, 2, 200_000, dtype=np.float32)
    return np.concatenate([strided, *bends, near_one])


def ulps(found: NDArray[np.float32], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors in units in the last place of what is expected; what is below the smallest normal number counts as 0."""
    error = np.abs(found.astype(np.float64) - expected)
    unit = np.spacing(np.maximum(np.abs(expected), TINY).astype(np.float32)).astype(np.float64)
    below = (np.abs(expected) < TINY) & (error <= 1.0001 * TINY)
    return np.where(below, 0, error / unit)


def test_the_header_states_a_bound_for_each():
    assert list(STATED) == list(EXACT)


@on_each
@for_each
def test_errors_are_within_the_stated_bound_over_all_of_float32(isa, name):
    x = sampled()
    found, expected = native(isa, name, x), exact(name, x)
    number = np.abs(expected) < LARGEST
    assert not (np.isnan(found) ^ np.isnan(expected)).any()
    assert (ulps(found[number], expected[number]) <= STATED[name]).all()
    beyond = np.abs(expected) > LARGEST * (1 + 1e-6)
    assert (found[beyond] == np.sign(expected[beyond]) * np.inf).all()


ENDS = np.array([-np.inf, -LARGEST, -0.0, 0.0, LARGEST, np.inf, np.nan], dtype=np.float32)


@on_each
@for_each
def test_infinities_zeros_and_nan_give_the_limits(isa, name):
    with np.errstate(over="ignore"):
        expected = exact(name, ENDS).astype(np.float32)
    found = native(isa, name, ENDS)
    np.testing.assert_allclose(found, expected, rtol=STATED[name] * 2**-23, atol=1.0001 * TINY)


@on_each
def test_a_value_does_not_depend_on_its_neighbours(isa):
    x = sampled()[::997]
    for name in EXACT:
        np.testing.assert_array_equal(native(isa, name, x[::-1])[::-1], native(isa, name, x))


# -- functions of a whole row


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("N", [1, 7, 64, 257, 1000])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (1e4, 1), (1e6, 1), (1e4, 1e-2), (1e2, 1e3)])
def test_rows_are_normalised_whatever_their_mean(isa, N, mean, deviation, monkeypatch):
    """Where a deviation is a millionth of the mean, sums of squares in float32 have no digit of it."""
    monkeypatch.setenv("GATEWORK_ISA", isa)
    torch.manual_seed(0)
    cell = gw.Cell("normalised", "h = norm(x) + 0 * (U @ h)")
    layer = gw.Recurrent(cell, N, N, engine="native")
    reference = gw.Recurrent(cell, N, N, engine="reference", dtype=torch.float64)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, N) * deviation + mean
    with torch.no_grad():
        compare(layer(x)[0], reference(x.double())[0], rms=1e-6, peak=1e-5, floor=1.0)
