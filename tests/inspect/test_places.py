"""The place that a page leads to is one where the unit shows what it follows."""

import numpy as np
import pytest
import torch

from gatework.inspect.places import stretches, telling_place

T = 400


def steps(*there: tuple[int, int]) -> np.ndarray:
    """A label that is 1 from, and to before, some steps."""
    label = np.zeros(T, np.float32)
    for begin, end in there:
        label[begin:end] = 1
    return label


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_label_and_unit_agree_there(sign: float) -> None:
    label = steps((100, 120), (200, 230), (300, 310))
    unit = torch.from_numpy(sign * steps((150, 190), (210, 220)))
    assert telling_place(label, unit, 0.6 * sign) == 215
    assert telling_place(label, -unit, 0.6 * sign) != 215


def test_the_unit_differs_from_what_it_is_around() -> None:
    label = steps((100, 120), (200, 230), (300, 320))
    unit = torch.from_numpy(steps((90, 130), (202, 230), (300, 310)))
    assert telling_place(label, unit, 0.6) == 216


def test_it_comes_after_the_start_and_is_seen_at_a_glance() -> None:
    label = steps((10, 20), (100, 102), (120, 220), (300, 320))
    assert telling_place(label, torch.from_numpy(label), 1.0) == 310


def test_where_no_stretch_is_seen_at_a_glance_any_is_taken() -> None:
    label = steps((100, 300))
    assert telling_place(label, torch.from_numpy(label), 1.0) == 200
    assert telling_place(steps((10, 20)), torch.from_numpy(steps((10, 20))), 1.0) == 15
    assert telling_place(steps((0, T)), torch.from_numpy(steps((3, 20))), 1.0) is None  # never otherwise


def test_what_is_never_there_has_no_place() -> None:
    assert telling_place(steps(), torch.randn(T), 0.5) is None
    assert telling_place(steps((100, 120)), torch.zeros(T), 0.5) is None


def test_stretches_end_before_what_follows() -> None:
    assert stretches(np.array([1, 0, 0, 1, 1], bool)) == [(0, 1), (3, 5)]
    assert stretches(np.zeros(3, bool)) == []
