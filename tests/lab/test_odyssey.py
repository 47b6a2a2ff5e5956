"""The Odyssey's variants: one part of an LSTM changed, on three experiments, with one setting for all."""

import pytest

from gatework.cells import cells
from gatework.lab import Size
from gatework.lab.odyssey import EXPERIMENT, SETTINGS, VARIANTS


def test_each_variant_is_tried_on_each_experiment_with_the_same_setting_but_for_a_start_without_a_forget_gate() -> None:
    for form in SETTINGS:
        variants = [variant for variant in EXPERIMENT.variants if variant.form == form]
        assert [variant.cell for variant in variants] == list(VARIANTS)
        settings = [{**variant.options, "init": None} for variant in variants]
        assert all(setting == settings[0] for setting in settings)
        assert {variant.cell for variant in variants if variant.options["init"] != variants[0].options["init"]} <= {
            "nfg"
        }


def test_the_variants_are_cells_of_the_odyssey() -> None:
    assert all("Greff" in cells[cell].source for cell in VARIANTS if cell != "peephole_lstm")


@pytest.mark.parametrize("variant", EXPERIMENT.variants[::4], ids=lambda variant: variant.label)
def test_a_tiny_run_ends_with_the_figures_of_its_experiment(variant) -> None:
    found = EXPERIMENT.trial(variant, 0, Size.TINY, print)
    assert not found.solved
    assert any("wrong" in name or "perfect" in name for name in found.figures)
