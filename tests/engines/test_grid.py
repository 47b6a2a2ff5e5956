"""How many threads a call takes: as its work is worth waking them, and as its weights lie near or far."""

import pytest

from gatework.lowering.threads import (
    ARITHMETIC,
    FAR_ROWS,
    NEAR_ROWS,
    WAKING,
    product_grid,
    scan_grid,
    threads_at_once,
)


def bands(threads: int, T: int, B: int, H: int) -> tuple[int, int]:
    """Bands of rows and of units for one matrix [H,H]."""
    return scan_grid([("H", "H")], {"I": 1, "H": H, "R": 1}, T, B, threads)


def test_threads_are_woken_where_two_operations_for_each_weight_and_row_take_longer():
    H, B = 32, 48
    T = WAKING / (2 * H * H * B / ARITHMETIC)
    assert bands(2, int(0.99 * T), B, H) == (1, 1)
    assert bands(2, int(1.01 * T) + 1, B, H) == (2, 1)


@pytest.mark.parametrize("T", [1, 10**6])
def test_one_thread_is_one_band_whatever_the_work(T):
    assert bands(1, T, 48, 512) == (1, 1)


@pytest.mark.parametrize(("H", "fewest"), [(64, NEAR_ROWS), (512, FAR_ROWS)])
def test_a_band_of_rows_has_the_more_of_them_the_farther_the_weights(H, fewest):
    for threads, rows in ((4, 1), (4, 2), (4, 4), (6, 3)):
        assert bands(threads, 10**6, rows * fewest, H)[0] == rows
        assert bands(threads, 10**6, rows * fewest - 1, H)[0] < rows or rows == 1


def test_weights_too_many_to_stay_near_are_shared_by_units_alone():
    assert bands(4, 100, 1000, 2048) == (1, 4)


@pytest.mark.parametrize(("H", "columns"), [(512, 4), (64, 1)])
def test_units_are_shared_where_a_step_is_worth_a_barrier(H, columns):
    assert bands(4, 10**6, NEAR_ROWS, H) == (1, columns)


def test_a_product_is_shared_along_its_longer_side():
    assert product_grid(10_000, 100, 100, 4) == (4, 1)
    assert product_grid(100, 10_000, 100, 4) == (1, 4)
    assert product_grid(3000, 3000, 100, 4) == (2, 2)
    assert product_grid(10, 10, 10, 4) == (1, 1)  # not worth waking anybody


@pytest.mark.parametrize(
    ("scans", "seconds", "grid", "threads", "each"),
    [
        (2, 1.0, (1, 2), 2, 1),  # as many as there are threads
        (2, 1.0, (1, 1), 8, 1),  # by itself each would take one
        (2, 1.0, (1, 2), 8, 8),  # six threads would be idle
        (2, 1.0, (1, 1), 1, 1),
        (3, 1.0, (1, 1), 2, 2),
        (2, WAKING / 2, (1, 1), 2, 2),  # not worth waking anybody
        (1, 1.0, (1, 2), 2, 2),
    ],
)
def test_scans_run_at_once_on_a_thread_each_where_none_is_left_idle(scans, seconds, grid, threads, each):
    assert threads_at_once(scans, seconds, grid, threads) == each
