"""A unit is found where it follows a label on text that did not choose it, more than chance and no training do."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gatework.inspect.hypotheses import Halves, Probe, episodes, search, turned

T, U = 4000, 30


def bursts(seed: int, length: int = 10) -> np.ndarray:
    """A label that is 0 or 1 for a while."""
    return np.repeat(np.random.default_rng(seed).integers(0, 2, T // length), length).astype(np.float32)


def slow(columns: int, seed: int = 0) -> Tensor:
    """Units that change slowly and mean nothing."""
    steps = torch.randn(T, columns, generator=torch.Generator().manual_seed(seed)) * 0.05
    values = torch.zeros(T, columns)
    for t in range(1, T):
        values[t] = 0.98 * values[t - 1] + steps[t]
    return values


def test_a_unit_that_follows_a_label_is_found_with_either_sign() -> None:
    label, units = bursts(1), slow(U, 2)
    units[:, 7] = -torch.from_numpy(label) + 0.5 * units[:, 7]
    [found] = search(units, slow(U, 1), {"it": label})
    assert found.best == 7
    assert found.followed.nonzero().flatten().tolist() == [7]
    assert found.a[7] < -0.5
    assert found.b[7] < -0.5


def test_slow_units_that_mean_nothing_are_not_found() -> None:
    [found] = search(slow(U), torch.zeros(T, U), {"it": bursts(2, 250)})  # chance alone stands against them
    assert float(found.a.abs().max()) > 0.3  # which a test by single steps would call certain
    assert float(found.scores.max()) < 0


def test_what_an_untrained_unit_does_too_is_not_learnt() -> None:
    label, units, fresh = bursts(1), slow(U), slow(U, 1)
    for values in (units, fresh):
        values[:, 3] += torch.from_numpy(label)
    [found] = search(units, fresh, {"it": label})
    assert found.untrained > 0.5
    assert not found.followed.any()


def test_a_unit_that_turns_its_sign_is_not_found() -> None:
    label, units = bursts(1), slow(U)
    sign = torch.cat([torch.ones(T // 2), -torch.ones(T // 2)])
    units[:, 7] = torch.from_numpy(label) * sign
    [found] = search(units, slow(U, 1), {"it": label})
    assert not found.followed[7]
    assert found.scores[7] < 0


@pytest.mark.parametrize("times", [3, 19])
def test_a_label_that_is_rare_in_one_half_is_not_found(times: int) -> None:
    label = bursts(1)
    label[T // 2 :] = 0
    for k in range(times):
        label[T // 2 + 100 * k : T // 2 + 100 * k + 30] = 1
    units = slow(U)
    units[:, 7] = torch.from_numpy(label)
    [found] = search(units, slow(U, 1), {"it": label})
    assert (found.episodes, found.enough) == (times, False)
    assert not found.followed.any()


def test_the_null_has_the_same_label_elsewhere() -> None:
    column = torch.arange(100.0)[:, None]
    columns = turned(column, torch.Generator().manual_seed(0))
    assert all(sorted(each.tolist()) == column[:, 0].tolist() for each in columns.T)
    assert not (columns == column).any()


def test_the_probe_adds_up_what_many_units_know() -> None:
    label = torch.from_numpy(bursts(1))[:, None]
    parts = torch.randn(T, 10, generator=torch.Generator().manual_seed(0))
    units = Halves.of(torch.cat([parts, label - parts.sum(1, keepdim=True)], 1))
    single = float((units.a.T @ Halves.of(label).a).abs().max())
    assert Probe.of(units).r(units, Halves.of(label)) > 0.95 > single


def test_constant_units_and_labels_correlate_with_nothing() -> None:
    units = torch.full((T, 2), 0.3)
    [found] = search(units, units, {"it": np.ones(T, np.float32)})
    assert found.a.tolist() == found.b.tolist() == [0.0, 0.0]
    assert found.probe == 0.0
    assert not found.followed.any()


def test_episodes_are_counted_where_they_begin() -> None:
    assert episodes(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == 3
    assert episodes(np.zeros(4, bool)) == 0


def test_too_few_steps_say_nothing() -> None:
    assert search(torch.randn(90, 3), torch.randn(90, 3), {"it": np.zeros(90, np.float32)}) == []
