"""The Odyssey's variants: one part of an LSTM changed, on three experiments, with one setting for all."""

import pytest

from gatework.cells import cells
from gatework.experiments import Size
from gatework.experiments.odyssey import EXPERIMENT, SETTINGS, VARIANTS


def test_each_variant_is_tried_on_each_experiment_with_the_same_setting() -> None:
    for variant in SETTINGS:
        arms = [arm for arm in EXPERIMENT.arms if arm.variant == variant]
        assert [arm.cell for arm in arms] == list(VARIANTS)
        assert all(arm.options == arms[0].options for arm in arms)


def test_the_variants_are_cells_of_the_odyssey() -> None:
    assert all("Greff" in cells[cell].source for cell in VARIANTS if cell != "peephole_lstm")


@pytest.mark.parametrize("arm", EXPERIMENT.arms[::4], ids=lambda arm: arm.label)
def test_a_tiny_run_ends_with_the_figures_of_its_experiment(arm) -> None:
    found = EXPERIMENT.trial(arm, 0, Size.TINY, print)
    assert not found.solved
    assert any("wrong" in name or "perfect" in name for name in found.figures)
