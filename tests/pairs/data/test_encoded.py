"""Pairs as arrays: every symbol where it belongs, and back from a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatework.errors import InputError
from gatework.files.tensors import as_bytes
from gatework.pairs.data.encoded import Encoded, inputs_of, outputs_of
from gatework.pairs.data.examples import Examples, given_examples
from gatework.runs.scaling import Scaling

SOURCES = ["abc", "d", "ee"]
TARGETS: list[Any] = [["x", "yz"], "zz", ["y", "x", "zyx"]]
FRAMES = [np.random.default_rng(k).normal(3, 5, (S, 2)) for k, S in enumerate((3, 1, 2))]


def texts() -> Examples:
    return given_examples(SOURCES, TARGETS)


def encoded(examples: Examples) -> Encoded:
    return Encoded.of(examples, inputs_of(examples), outputs_of(examples))


def test_every_symbol_is_where_its_source_or_target_has_it() -> None:
    made, inputs, outputs = encoded(texts()), inputs_of(texts()), outputs_of(texts())
    assert len(made) == 3
    for k, (source, accepted) in enumerate(zip(texts().sources, texts().targets or (), strict=True)):
        piece = made.source[made.source_starts[k] : made.source_starts[k + 1]]
        assert inputs.texts(piece) == source
        found = range(made.targets_of[k], made.targets_of[k + 1])
        assert [outputs.texts(made.target[made.target_starts[m] : made.target_starts[m + 1]]) for m in found] == list(
            accepted
        )
    assert made.source_of.tolist() == [0, 0, 1, 2, 2, 2]
    assert made.source_lengths.tolist() == [3, 1, 2]
    assert made.target_lengths.tolist() == [1, 2, 2, 1, 1, 3]


def test_padding_stands_past_the_ends_alone() -> None:
    made = encoded(texts())
    source, lengths = made.sources(np.array([1, 0]))
    assert lengths.tolist() == [1, 3]
    assert source.T.tolist() == [[made.source[3], 0, 0], made.source[:3].tolist()]
    x, yz = made.target[0], made.target[1:3].tolist()
    assert made.targets(np.array([0, 1]), 9, -100).T.tolist() == [[x, 9, -100], [*yz, 9]]
    assert made.targets(np.array([0, 1]), None, -100).T.tolist() == [[x, -100], yz]


@pytest.mark.parametrize("numbers", [[2, 0], [1], [0, 1, 2], []])
def test_what_is_taken_is_what_was_encoded(numbers: list[int]) -> None:
    taken = encoded(texts()).take(np.array(numbers, np.intp))
    examples = texts().take(np.array(numbers, np.intp))
    wanted = Encoded.of(examples, inputs_of(texts()), outputs_of(texts()))
    for name, values in vars(wanted).items():
        np.testing.assert_array_equal(getattr(taken, name), values)


def test_frames_are_scaled_by_the_training_part() -> None:
    examples = given_examples(FRAMES, ["x", "y", "z"])
    scaling = Scaling.of(examples.sources)
    made = Encoded.of(examples, scaling, outputs_of(examples))
    np.testing.assert_allclose(made.source.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(made.source.std(0), 1, atol=1e-6)
    padded, lengths = made.sources(np.array([1, 0]))
    assert padded.shape == (3, 2, 2)
    assert lengths.tolist() == [1, 3]
    assert not padded[1:, 0].any()
    assert Scaling.from_json(scaling.to_json()) == scaling
    with pytest.raises(InputError, match=r"^X\[0\]: vectors of 3 numbers; the model was trained on vectors of 2"):
        Encoded.of(given_examples([np.ones((2, 3))], ["x"]), scaling, outputs_of(examples))


def test_a_number_that_never_changes_is_not_divided_by_its_rounding() -> None:
    scaling = Scaling.of([np.full((5, 1), 0.1, np.float32)])
    assert scaling.scale == (1.0,)


@pytest.mark.parametrize(
    "change", [{"mean": []}, {"mean": [1.0]}, {"scale": [0.0, 1.0]}, {"scale": [float("nan"), 1.0]}]
)
def test_json_that_is_no_scaling_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Scaling.from_json({"mean": [0.0, 0.0], "scale": [1.0, 1.0], **change})


@pytest.mark.parametrize("frames", [False, True])
def test_pairs_come_back_from_a_file(tmp_path: Path, frames: bool) -> None:
    made = encoded(given_examples(FRAMES, TARGETS) if frames else texts())
    made.save(tmp_path / "pairs")
    again = Encoded.load(tmp_path / "pairs")
    for name, values in vars(made).items():
        np.testing.assert_array_equal(getattr(again, name), values)
        assert getattr(again, name).dtype == values.dtype


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_starts", [0, 3, 4, 7]),  # past the end
        ("source_starts", [0, 4, 3, 6]),
        ("source_starts", [1, 3, 4, 6]),
        ("target_starts", [0, 10]),
        ("targets_of", [0, 2, 3, 7]),
        ("targets_of", [0, 6]),
        ("targets_of", []),
        ("target_starts", [[0, 10]]),
    ],
)
def test_damaged_indices_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    arrays = {**vars(encoded(texts())), name: np.array(value, np.int64)}
    (tmp_path / "pairs").write_bytes(as_bytes(arrays, {}))
    with pytest.raises(InputError, match="pairs is damaged: its sources and targets do not fit"):
        Encoded.load(tmp_path / "pairs")


def test_a_file_of_other_arrays_is_refused(tmp_path: Path) -> None:
    arrays = vars(encoded(texts()))
    for wrong in ({}, {**arrays, "more": arrays["source"]}, {**arrays, "target": arrays["target"].astype(np.float32)}):
        (tmp_path / "pairs").write_bytes(as_bytes(wrong, {}))
        with pytest.raises(InputError, match="is damaged"):
            Encoded.load(tmp_path / "pairs")
    (tmp_path / "pairs").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="damaged or no file of pairs"):
        Encoded.load(tmp_path / "pairs")
