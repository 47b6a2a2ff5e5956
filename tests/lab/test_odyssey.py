"""The Odyssey's variants: one part of an LSTM changed, on three experiments, with one setting for all."""

import pytest

from gatework.cells import cells
from gatework.lab import Size
from gatework.lab.odyssey import EXPERIMENT, SETTINGS, VARIANTS


def test_each_variant_is_tried_on_each_experiment_with_the_same_setting_but_for_a_start_without_a_forget_gate() -> None:
    for variant in SETTINGS:
        arms = [arm for arm in EXPERIMENT.arms if arm.variant == variant]
        assert [arm.cell for arm in arms] == list(VARIANTS)
        settings = [{**arm.options, "init": None} for arm in arms]
        assert all(setting == settings[0] for setting in settings)
        assert {arm.cell for arm in arms if arm.options["init"] != arms[0].options["init"]} <= {"nfg"}


def test_the_variants_are_cells_of_the_odyssey() -> None:
    assert all("Greff" in cells[cell].source for cell in VARIANTS if cell != "peephole_lstm")


@pytest.mark.parametrize("arm", EXPERIMENT.arms[::4], ids=lambda arm: arm.label)
def test_a_tiny_run_ends_with_the_figures_of_its_experiment(arm) -> None:
    found = EXPERIMENT.trial(arm, 0, Size.TINY, print)
    assert not found.solved
    assert any("wrong" in name or "perfect" in name for name in found.figures)
