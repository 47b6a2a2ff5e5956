"""Strings of digits: made of images that no other part has, judged by edits, drawn with their alignment."""

import sys

import numpy as np
import pytest
import torch

from gatework.errors import InputError
from gatework.lab import Size
from gatework.lab import digit_strings as module
from gatework.lab.digit_strings import BLANK, EXPERIMENT, HELD_OUT, draw, images, judge, parts, written
from gatework.lab.learning import Batch, stream
from gatework.lab.picture import svg
from gatework.lab.results import Results


@pytest.fixture
def data() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn, which ships the images, is not installed")


@pytest.mark.parametrize("seed", [0, 1])
def test_no_image_is_in_both_parts(data: None, seed: int) -> None:
    known, held_out = parts(seed)
    assert len(held_out) == HELD_OUT
    assert sorted(torch.cat([known, held_out]).tolist()) == list(range(1797))
    assert not torch.equal(held_out, parts(seed + 1)[1])


def test_a_string_is_its_images_side_by_side_column_by_column(data: None) -> None:
    held_out = parts(0)[1]
    batch, (pixels, digits) = draw(held_out, False, 50, stream("a test", 0)), images()
    assert batch.lengths is not None
    known = {pixels[k].T.numpy().tobytes(): (int(k), int(digits[k])) for k in held_out}  # columns one after the other
    for row, string in enumerate(written(batch.y)):
        assert 1 <= len(string) <= 8
        assert int(batch.lengths[row]) == 8 * len(string)
        columns = batch.x[: int(batch.lengths[row]), row].numpy()
        assert [known[image.tobytes()][1] for image in np.split(columns, len(string))] == list(string)
    assert {len(string) for string in written(batch.y)} == set(range(1, 9))


def test_images_to_learn_from_change_each_time_and_stay_what_they_are(data: None) -> None:
    known = parts(0)[0][:1]
    one, other = (draw(known, True, 4, stream("a test", seed)) for seed in (0, 1))
    pixels = images()[0][known[0]].T
    assert not torch.equal(one.x[:8, 0], other.x[:8, 0])
    for batch in (one, other):
        image = batch.x[:8, 0]
        assert 0.6 < float(torch.cosine_similarity(image.flatten(), pixels.flatten(), 0)) < 0.9999
        assert set(sum(written(batch.y), ())) == {int(images()[1][known[0]])}


def test_the_error_is_edits_over_digits() -> None:
    targets = torch.tensor([[1, 4], [2, -100], [2, -100]])
    path = torch.tensor([[1, BLANK, 2, BLANK, 2, 3], [5, 5, 5, 5, 5, 5]]).T  # 1 2 2 3 is one too many; 5 for 4
    scores = torch.nn.functional.one_hot(path, 11).float().mul(9).log_softmax(-1)
    judged = judge(scores, Batch(torch.empty(0), targets, torch.tensor([6, 6])))
    torch.testing.assert_close(judged.error, torch.tensor([1 / 3, 1.0]))
    assert judged.wrong.tolist() == [True, True]
    right = judge(scores[:5], Batch(torch.empty(0), targets, torch.tensor([5, 5])))
    assert right.wrong.tolist() == [False, True]
    assert right.loss[0] < 0.1 < right.loss[1]


def test_a_trial_is_drawn_with_its_alignment(data: None) -> None:
    pytest.importorskip("matplotlib")
    results = Results(EXPERIMENT.name, Size.TINY)
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        results.trials[variant.label] = {0: trial}
        results.variants.append(variant)
        shown = trial.traces["example"]
        columns = np.array(shown["columns"])
        assert columns.shape == (len(shown["digits"]), 2)
        assert (columns[:, 0] < columns[:, 1]).all()
        assert (columns[1:, 0] >= columns[:-1, 1]).all()
        assert columns[-1, 1] <= len(shown["pixels"]) == len(shown["percent"]) == 8 * len(shown["digits"])
    picture = svg(EXPERIMENT, results).decode()
    for variant in EXPERIMENT.variants:
        assert variant.label in picture


def test_the_picture_of_no_trial_is_empty() -> None:
    pytest.importorskip("matplotlib")
    svg(EXPERIMENT, Results(EXPERIMENT.name, Size.TINY))


@pytest.mark.slow
def test_digits_are_read_without_alignment(data: None) -> None:
    variant = EXPERIMENT.variants[0]
    trial = EXPERIMENT.trial(variant, 0, Size.QUICK, print)
    assert trial.figures["wrong digits, %"] < 5
    shown = trial.traces["example"]
    middles = np.array(shown["columns"]).mean(1) / 8
    assert (np.abs(middles - np.arange(len(middles)) - 0.5) < 1.5).all()  # each stands by its image


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module.images.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"^sklearn is not installed: pip install 'gatework\[bench\]'$"):
        EXPERIMENT.trial(EXPERIMENT.variants[0], 0, Size.TINY, print)
