"""Which engine runs: the one asked for, or one chosen with its reason; never another in silence."""

import pytest
import torch

from gatework.engines import ENGINES, choose
from gatework.errors import InputError

CPU = torch.device("cpu")


def test_an_engine_asked_for_by_name_is_the_one_that_runs():
    for name, run in ENGINES.items():
        choice = choose(name, CPU)
        assert (choice.name, choice.reason) == (name, "asked for by name") and choice.run is run


def test_auto_says_what_it_chose_and_why():
    choice = choose("auto", CPU)
    assert choice.run is ENGINES[choice.name] and "cpu" in choice.reason


def test_an_engine_that_is_not_here_is_refused():
    with pytest.raises(InputError, match=r"engine='warp' is not here; there are 'auto', 'reference'"):
        choose("warp", CPU)


def test_the_engines_cannot_be_changed():
    with pytest.raises(TypeError):
        ENGINES["mine"] = ENGINES["reference"]  # type: ignore[index]
