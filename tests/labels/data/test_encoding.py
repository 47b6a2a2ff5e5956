import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from gatework.errors import InputError
from gatework.labels.data.batches import Encoded, LabelBatches
from gatework.labels.data.encoding import Tokens, inputs_from_json, inputs_of
from gatework.labels.data.examples import given_examples
from gatework.labels.data.targets import Amounts, Classes, encode_labels, targets_from_json, targets_of
from gatework.runs.scaling import Scaling

# -- sequences


def test_numbers_are_scaled_by_the_mean_and_deviation_of_their_column() -> None:
    examples = given_examples([[[1, 5], [3, 5]], [[5, 5]]])
    scaling = inputs_of(examples)
    encoded = scaling.encode(examples.sequences)
    np.testing.assert_allclose(encoded.mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(encoded[:, 0].std(), 1.0, rtol=1e-6)
    assert encoded[:, 1].tolist() == [0, 0, 0], "a constant column"
    assert encoded.dtype == np.float32


def test_large_numbers_lose_nothing_before_they_are_scaled() -> None:
    examples = given_examples([[2.0**24, 2.0**24 + 2]])
    assert inputs_of(examples).encode(examples.sequences).flatten().tolist() == [-1, 1]


def test_texts_are_numbered_by_frequency_and_the_rest_is_unknown() -> None:
    tokens = inputs_of(given_examples(["abb", "bbc"]), 3)
    assert isinstance(tokens, Tokens)
    assert tokens.tokens == ("<unk>", "b", "a")
    assert tokens.encode(given_examples(["bca"]).sequences).tolist() == [1, 0, 2]


def test_a_word_that_looks_like_the_unknown_one_is_unknown() -> None:
    examples = given_examples([["<unk>", "a"]])
    assert inputs_of(examples).encode(examples.sequences).tolist() == [0, 1]


@pytest.mark.parametrize("X", [["ab"], [["a", "b"]], [[1, 2]]], ids=["text", "words", "numbers"])
def test_what_is_read_is_the_same_after_json(X: list[object]) -> None:
    inputs = inputs_of(given_examples(X))
    assert inputs_from_json(json.loads(json.dumps(inputs.to_json()))) == inputs


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"form": "numbers", "mean": [1], "scale": [1, 2]},
        {"form": "numbers", "mean": [1], "scale": [0]},
        {"form": "numbers", "mean": [1], "scale": [1], "missing": [True, False]},
        {"form": "numbers", "mean": [1], "scale": [1], "bent": [[0, 0]]},
        {"form": "bytes", "tokens": ["<unk>"]},
        {"form": "char", "tokens": ["a"]},
    ],
    ids=range(7),
)
def test_json_that_says_nothing_readable(values: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        inputs_from_json(values)


def test_another_form_or_width_than_in_training() -> None:
    text, numbers, wide = given_examples(["ab"]), given_examples([[1, 2]]), given_examples([[[1, 2]]])
    with pytest.raises(InputError, match=re.escape("X[0]: numbers; the model was trained on a text read by its char")):
        Encoded.of(numbers, inputs_of(text), None, False)
    with pytest.raises(
        InputError, match=re.escape("X[0]: vectors of 2 numbers; the model was trained on vectors of 1")
    ):
        Encoded.of(wide, inputs_of(numbers), None, False)


# -- labels


@pytest.mark.parametrize(
    "labels", [["b", "a", "b"], [3, 1, 3], [True, False, True]], ids=["texts", "numbers", "truths"]
)
def test_classes_are_numbered_in_their_order_and_survive_json(labels: list[object]) -> None:
    examples = given_examples(["x"] * 3, labels, kind="class")
    classes = targets_of(examples)
    assert isinstance(classes, Classes)
    assert classes.array.tolist() == sorted(set(labels))  # type: ignore[type-var]
    assert encode_labels(classes, examples).tolist() == [1, 0, 1]
    again = targets_from_json(json.loads(json.dumps(classes.to_json())))
    assert again == classes
    assert isinstance(again, Classes)
    assert again.array.dtype == np.unique(labels).dtype


def test_tags_are_numbered_end_to_end() -> None:
    examples = given_examples(["ab", "c"], [["x", "y"], ["x"]], kind="tag")
    assert encode_labels(targets_of(examples), examples).tolist() == [0, 1, 0]


def test_numbers_to_predict_are_scaled() -> None:
    examples = given_examples(["a", "b"], [10.0, 30.0])
    amounts = targets_of(examples)
    assert amounts == Amounts(20, 10) == targets_from_json(amounts.to_json())
    assert encode_labels(amounts, examples).tolist() == [-1, 1]


def test_a_label_that_did_not_occur_in_training_is_named_with_its_row() -> None:
    classes = Classes.of(list("abcdefghij"))
    with pytest.raises(InputError) as error:
        encode_labels(classes, given_examples(["x", "y"], ["a", "z"], kind="class"))
    assert str(error.value) == (
        'X[1]: the label "z" did not occur in training; the labels are "a", "b", "c", "d", "e", "f", "g", "h", ...'
    )
    with pytest.raises(InputError, match=re.escape('X[1]: the label "z" did not occur in training')):
        encode_labels(classes, given_examples(["xx", "yy"], [["a", "b"], ["b", "z"]], kind="tag"))


def test_labels_that_are_all_alike_teach_nothing() -> None:
    with pytest.raises(InputError, match='all 2 labels are "a"; expected at least two kinds'):
        Classes.of(["a", "a"])
    with pytest.raises(InputError, match=r"all 3 labels are 0\.1; expected numbers that differ"):
        Amounts.of([0.1, 0.1, 0.1])


# -- batches


def encoded(*lengths: int, tagged: bool = False) -> Encoded:
    """Sequences of these lengths whose steps are numbered through."""
    starts = np.cumsum([0, *lengths])
    rows = [np.arange(a, b) for a, b in pairwise(starts)]
    labels = [(row % 3).tolist() for row in rows] if tagged else [float(k) for k in range(len(lengths))]
    examples = given_examples(rows, labels, kind="tag" if tagged else "number")
    plain = Scaling((0.0,), (1.0,))
    targets = Classes((0, 1, 2), "<i8") if tagged else Amounts(0, 1)
    return Encoded.of(examples, plain, targets, tagged)


def test_sequences_are_padded_to_the_longest_of_their_batch() -> None:
    (x, lengths), targets = encoded(2, 1, 3).padded(torch.tensor([1, 0]))
    assert x[..., 0].tolist() == [[2, 0], [0, 1]]
    assert (lengths.tolist(), targets.tolist()) == ([1, 2], [1, 0])


def test_tags_past_a_length_are_left_out_of_the_loss() -> None:
    _, targets = encoded(2, 1, tagged=True).padded(torch.tensor([0, 1]))
    assert targets.tolist() == [[0, 2], [1, -100]]


def test_sequences_taken_are_as_they_were() -> None:
    whole, rows = encoded(2, 4, 1, 3, tagged=True), np.array([3, 1])
    part = whole.take(rows)
    (x, lengths), targets = part.padded(torch.tensor([0, 1]))
    (x_of_whole, lengths_of_whole), targets_of_whole = whole.padded(torch.from_numpy(rows))
    assert torch.equal(x, x_of_whole)
    assert torch.equal(lengths, lengths_of_whole)
    assert torch.equal(targets, targets_of_whole)


def test_an_epoch_has_every_sequence_once_in_an_order_of_its_own() -> None:
    batches = LabelBatches(encoded(*[1 + k % 5 for k in range(23)]), 4, seed=3)
    orders = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        orders.append([int(label) for k in range(len(batches)) for label in batches[k][1]])
        assert sorted(orders[-1]) == list(range(23))
    assert len(batches) == 6
    assert orders[0] == orders[2] != orders[1]


def test_sequences_of_like_lengths_come_together() -> None:
    drawn = np.random.default_rng(0).integers(1, 100, 320)
    batches = LabelBatches(encoded(*drawn), 10)
    padded = sum(batches[k][0][0].shape[0] * 10 for k in range(len(batches)))
    assert padded < 1.2 * drawn.sum()


def test_the_longest_come_first_where_nothing_is_learnt() -> None:
    assert [rows.tolist() for rows in encoded(1, 3, 2).sequences().in_order_of_length(2)] == [[1, 2], [0]]


def test_a_batch_of_nothing() -> None:
    with pytest.raises(InputError, match="batch_size is 0"):
        LabelBatches(encoded(1, 2), 0)


# -- numbers that are missing


def test_what_is_missing_is_the_mean_and_marked_by_an_input_of_its_own() -> None:
    examples = given_examples([[[1, 5], [None, 5]], [[3, 5], [5, 5]]])
    scaling = inputs_of(examples)
    assert isinstance(scaling, Scaling)
    assert (scaling.mean, scaling.missing, scaling.width) == ((3.0, 5.0), (True, False), 3)
    encoded = scaling.encode(examples.sequences)
    assert encoded[:, 0].tolist() == pytest.approx([-(1.5**0.5), 0, 0, 1.5**0.5])
    assert encoded[:, 2].tolist() == [0, 1, 0, 0]
    assert inputs_from_json(json.loads(json.dumps(scaling.to_json()))) == scaling


def test_what_is_missing_only_in_use_is_the_mean() -> None:
    scaling = inputs_of(given_examples([[1.0, 3.0]]))
    assert "missing" not in scaling.to_json()
    assert scaling.encode(given_examples([[np.nan, 3.0]]).sequences).tolist() == [[0.0], [1.0]]


def test_a_column_that_is_missing_altogether_says_nothing() -> None:
    examples = given_examples([np.full((2, 1), np.nan), np.full((1, 1), np.nan)])
    assert inputs_of(examples).encode(examples.sequences).tolist() == [[0.0, 1.0]] * 3


# -- numbers that differ by orders of magnitude


def test_a_column_of_many_orders_of_magnitude_is_bent_so_that_each_counts() -> None:
    powers = 10.0 ** np.arange(8)
    examples = given_examples([np.stack([powers, np.arange(8.0)], 1)])
    scaling = inputs_of(examples)
    assert isinstance(scaling, Scaling)
    assert [bend is not None for bend in scaling.bent] == [True, False]
    encoded = scaling.encode(examples.sequences)
    assert np.diff(encoded[3:, 0]).min() > 0.3, "each power of ten is about as far from the next"
    np.testing.assert_allclose(encoded.mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(encoded.std(0), [1, 1], rtol=1e-5)
    assert inputs_from_json(json.loads(json.dumps(scaling.to_json()))) == scaling


@pytest.mark.parametrize("column", [np.random.default_rng(0).normal(size=999), np.arange(999) % 20 == 0, np.ones(9)])
def test_a_column_of_noise_of_marks_or_of_one_number_is_not_bent(column: np.ndarray) -> None:
    assert "bent" not in inputs_of(given_examples([column.astype(float)])).to_json()
