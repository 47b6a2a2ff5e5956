import ctypes

import pytest
import torch

from gatework.errors import InputError
from gatework.lab.bench import memory
from gatework.lab.bench.measure import Shape

MIB = 2**20
SHAPE = Shape(200, 16, 32, 64)  # its gates and states alone take 4.7 MiB

linux = pytest.mark.skipif(not (memory.PROCESS / "clear_refs").exists(), reason="needs /proc/self/clear_refs of Linux")


@pytest.fixture
def no_free_memory() -> None:
    """Gives back to the system what earlier tests have left to malloc: a step that gets it would take nothing more."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


@linux
@pytest.mark.usefixtures("no_free_memory")
def test_the_peak_counts_what_a_step_takes_even_if_it_gives_it_back():
    def step() -> None:
        torch.ones(16 * MIB)  # 64 MiB

    assert 60 * MIB < memory.peak_of(step) < 80 * MIB


@linux
@pytest.mark.usefixtures("no_free_memory")
def test_an_earlier_peak_does_not_hide_that_of_the_step():
    torch.ones(32 * MIB)
    step = 12 * MIB  # 48 MiB: from 32 on malloc gives them back to the system at once
    assert 44 * MIB < memory.peak_of(lambda: torch.ones(step)) < 64 * MIB


@linux
@pytest.mark.parametrize("layer", memory.LAYERS)
def test_a_training_step_is_measured_in_a_process_of_its_own(layer: str):
    assert 4 * MIB < memory.peak(layer, SHAPE, threads=1, engine="auto") < 40 * MIB


def test_a_process_that_fails_says_why():
    with pytest.raises(InputError, match=r"^the process that measures memory failed: .*engine='warp' is not here"):
        memory.peak("ours", SHAPE, threads=1, engine="warp")
