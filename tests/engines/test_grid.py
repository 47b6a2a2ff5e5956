"""How many threads a call takes: as its work is worth waking them, and as its weights lie near or far."""

from types import SimpleNamespace

import pytest
import torch

from gatework.engines.native.memory import ARITHMETIC, FAR_ROWS, NEAR_ROWS, WAKING, Memory, grid


def bands(threads: int, T: int, B: int, H: int, monkeypatch) -> tuple[int, int]:
    """Bands of rows and of units for one matrix [H,H]."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    return grid(SimpleNamespace(matrices=(("H", "H"),)), Memory(T, B, {"I": 1, "H": H, "R": 1}, {}))


def test_threads_are_woken_where_two_operations_for_each_weight_and_row_take_longer(monkeypatch):
    H, B = 32, 48
    T = WAKING / (2 * H * H * B / ARITHMETIC)
    assert bands(2, int(0.99 * T), B, H, monkeypatch) == (1, 1)
    assert bands(2, int(1.01 * T) + 1, B, H, monkeypatch) == (2, 1)


@pytest.mark.parametrize("T", [1, 10**6])
def test_one_thread_is_one_band_whatever_the_work(T, monkeypatch):
    assert bands(1, T, 48, 512, monkeypatch) == (1, 1)


@pytest.mark.parametrize(("H", "fewest"), [(64, NEAR_ROWS), (512, FAR_ROWS)])
def test_a_band_of_rows_has_the_more_of_them_the_farther_the_weights(H, fewest, monkeypatch):
    for threads, rows in ((4, 1), (4, 2), (4, 4), (6, 3)):
        assert bands(threads, 10**6, rows * fewest, H, monkeypatch)[0] == rows
        assert bands(threads, 10**6, rows * fewest - 1, H, monkeypatch)[0] < rows or rows == 1


def test_weights_too_many_to_stay_near_are_shared_by_units_alone(monkeypatch):
    assert bands(4, 100, 1000, 2048, monkeypatch) == (1, 4)


@pytest.mark.parametrize(("H", "columns"), [(512, 4), (64, 1)])
def test_units_are_shared_where_a_step_is_worth_a_barrier(H, columns, monkeypatch):
    assert bands(4, 10**6, NEAR_ROWS, H, monkeypatch) == (1, columns)
