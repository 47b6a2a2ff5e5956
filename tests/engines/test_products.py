"""Large products in the core: every instruction set, order of memory, dtype and grid of threads; wrong ones raise."""

import pytest
import torch
from core_toys import multiply, product

from gatework.core import _native
from gatework.verify.comparison import compare

SIZES = [(1, 1, 1), (7, 5, 3), (48, 64, 128), (130, 33, 50), (50, 17, 1), (6, 300, 97), (97, 129, 515), (3, 4, 0)]
GRIDS = [(1, 1), (2, 1), (1, 2), (2, 3)]
DTYPES = [torch.float32, torch.bfloat16]


def drawn(rows: int, columns: int, dtype: torch.dtype, by_columns: bool) -> torch.Tensor:
    return torch.randn(columns, rows).to(dtype).t() if by_columns else torch.randn(rows, columns).to(dtype)


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_product_is_the_sum_of_its_terms(isa, sizes, dtype, monkeypatch):
    monkeypatch.setenv("GATEWORK_ISA", isa)
    M, N, K = sizes
    for grid in GRIDS:
        for orders in [(False, False), (False, True), (True, False), (True, True)]:
            a, b = drawn(M, K, dtype, orders[0]), drawn(K, N, dtype, orders[1])
            expected, what = a.double() @ b.double(), f"{sizes} in {orders} by {grid}"
            result, wide = torch.full((M, N), 5.0), torch.full((M, N + 3), 2.0)
            multiply(a, [b], [result], grid=grid)
            compare(result, expected, rms=1e-6, peak=1e-5, what=what)
            multiply(a, [b], [wide[:, :N]], add=True, grid=grid)
            compare(wide[:, :N], expected + 2, rms=1e-6, peak=1e-5, what=f"{what}, added")
            assert (wide[:, N:] == 2).all()


def test_one_matrix_is_multiplied_with_several():
    a, right = torch.randn(50, 20), [torch.randn(20, N) for N in (3, 64, 0, 70)]
    results = [torch.empty(50, b.shape[1]) for b in right]
    multiply(a, right, results)
    for b, result in zip(right, results, strict=True):
        compare(result, a.double() @ b.double(), rms=1e-6, peak=1e-5)


def test_numbers_of_both_kinds_are_multiplied():
    a, b = torch.randn(9, 40).to(torch.bfloat16), torch.randn(40, 20)
    compare(product(a, b), a.double() @ b.double(), rms=1e-6, peak=1e-5)
    compare(product(b.t(), a.t()), b.double().t() @ a.double().t(), rms=1e-6, peak=1e-5)


SQUARE = torch.zeros(4, 4)


@pytest.mark.parametrize(
    ("a", "right", "results"),
    [
        (SQUARE, [SQUARE], []),
        (SQUARE, [SQUARE[:3]], [SQUARE]),
        (SQUARE, [SQUARE[:, :3]], [SQUARE]),
        (SQUARE[:3], [SQUARE], [SQUARE]),
        (torch.zeros(8, 8)[::2, ::2], [SQUARE], [SQUARE]),
        (SQUARE, [SQUARE], [SQUARE.t()]),
        (SQUARE, [SQUARE], [SQUARE[:1].expand(4, 4)]),
        (SQUARE, [SQUARE], [SQUARE.bfloat16()]),
    ],
    ids=["results", "depth", "width", "height", "gaps", "by columns", "rows overlap", "half a result"],
)
def test_what_does_not_fit_is_refused(a, right, results):
    with pytest.raises(ValueError, match=r"^native call: "):
        multiply(a, right, results)


def test_a_product_leaves_no_trace_on_its_operands():
    a, b = torch.ones(2, 3), torch.ones(3, 2)
    product(a, b)
    assert a.resize_(4, 4).shape == b.resize_(4, 4).shape  # what numpy has shared can never be resized
