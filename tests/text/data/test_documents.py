"""JSONL to documents, ids and batches: each document begins with its condition, and none is cut where it is scored."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatework.errors import InputError
from gatework.text.data.batches import LanguageBatches, ScoringBatches
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.documents import beginnings
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import Vocabulary

LEVELS = ["byte", "char", "word"]
WHOLE = (1.0, 0.0, 0.0)
MIXED = [("one two\n", "b"), ("x", "a"), ("two é", "b"), ("\n", "c")]


def write(path, documents):
    path.write_text("".join(json.dumps({"text": text, "condition": on}) + "\n" for text, on in documents))
    return path


def read(corpus):
    """The documents of a corpus as (text, condition), in the order of its ids."""
    vocabulary, tokens = corpus.vocabulary, corpus.tokens
    starts = beginnings(tokens, vocabulary.end).tolist()
    assert tokens[-1] == vocabulary.end
    return [
        (vocabulary.decode(tokens[start + 1 : end]), vocabulary.conditions[tokens[start] - vocabulary.end - 1])
        for start, end in zip(starts, [*starts[1:], len(tokens) - 1], strict=True)
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_every_document_is_there_with_its_condition(tmp_path, level):
    corpus = prepare(write(tmp_path / "d.jsonl", MIXED), tmp_path / "out", level=level, documents=True, splits=WHOLE)
    assert sorted(read(corpus)) == sorted(MIXED)
    assert corpus.vocabulary.conditions == ("a", "b", "c")
    assert (corpus.counts.documents, corpus.counts.characters, corpus.counts.unknown) == (4, 15, 0)
    assert corpus.counts.tokens == len(corpus.tokens)
    reopened = Corpus.open(corpus.path, corpus.vocabulary, WHOLE, Counts.from_json(corpus.counts.to_json()))
    assert np.array_equal(reopened.tokens, corpus.tokens)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=30)
@given(
    documents=st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5),
    block=st.integers(1, 9),
)
def test_blocks_of_any_size_give_the_same_documents(level, documents, block):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "d.jsonl"), documents)
        one = prepare(path, Path(folder, "one"), level=level, documents=True)
        many = prepare(path, Path(folder, "many"), level=level, documents=True, block=block)
        assert one.path.read_bytes() == many.path.read_bytes()
        assert (one.vocabulary, one.counts) == (many.vocabulary, many.counts)
        assert sorted(read(one)) == sorted(documents)


def test_sorted_documents_are_mixed_so_that_each_part_has_all_conditions(tmp_path):
    path = write(tmp_path / "d.jsonl", [("text", on) for on in "abc" for _ in range(200)])
    corpus = prepare(path, tmp_path / "out", documents=True)
    for part in (corpus.train, corpus.validation, corpus.test):
        assert set(part[part > corpus.vocabulary.end] - corpus.vocabulary.end - 1) == {0, 1, 2}
    again = prepare(path, tmp_path / "again", documents=True)
    assert np.array_equal(again.tokens, corpus.tokens)


def test_documents_to_score_keep_their_order_and_the_vocabulary(tmp_path):
    vocabulary = Vocabulary("char", ("<unk>", *"abc"), ("x", "y"))
    documents = [("ab", "y"), ("c", "x"), ("cab", "y")]
    path = write(tmp_path / "d.jsonl", documents)
    corpus = prepare(path, tmp_path / "out", vocabulary=vocabulary, documents=True)
    assert read(corpus) == documents
    assert corpus.tokens.tolist() == [6, 1, 2, 5, 3, 6, 3, 1, 2, 4]


def test_a_plain_text_can_be_read_as_one_document(tmp_path):
    vocabulary = Vocabulary("byte", conditions=("x", "y"))
    (tmp_path / "a").write_bytes(b"ab")
    corpus = prepare(tmp_path / "a", tmp_path / "out", vocabulary=vocabulary, condition="y")
    assert corpus.tokens.tolist() == [258, 97, 98]
    assert corpus.tokens.dtype == np.dtype("<u2")
    with pytest.raises(InputError, match="unknown condition 'z'; there are x, y"):
        prepare(tmp_path / "a", tmp_path / "out", vocabulary=vocabulary, condition="z")


def test_conditions_that_are_whole_numbers_are_read_as_text_and_blank_lines_are_none(tmp_path):
    (tmp_path / "d.jsonl").write_text(
        '{"text": "a", "condition": 7, "more": null}\n\n  \n{"text": "b", "condition": "7"}'
    )
    corpus = prepare(tmp_path / "d.jsonl", tmp_path / "out", documents=True)
    assert sorted(read(corpus)) == [("a", "7"), ("b", "7")]


def test_what_was_read_is_said(tmp_path):
    corpus = prepare(write(tmp_path / "d.jsonl", MIXED), tmp_path / "out", documents=True)
    assert corpus.describe().startswith("1 file, 4 documents on 3 conditions, ")


BAD = [
    ('[{"text": "a", "condition": "b"}]', "is one array; expected an object a line: jq -c '.[]'"),
    ("text", "line 1 is not JSON: Expecting value at column 1"),
    ('{"text": "a", "condition": "b"}\n{"text": "a",', "line 2 is not JSON"),
    ("[1, 2]", 'line 1 is [1, 2]; expected {"text"'),
    ("[" * 100_000, "line 1 is too deep, or has a number too long, to be read"),
    ('{"text": "a", "label": 1}', "line 1 has no 'condition', but 'text', 'label': expected {\"text\""),
    ('{"condition": "a"}', "line 1 has no 'text', but 'condition'"),
    ("{}", "line 1 has no 'text', but nothing"),
    ('{"text": 7, "condition": "a"}', "line 1: text is 7; expected text"),
    ('{"text": "a", "condition": null}', "line 1: condition is None; expected text"),
    ('{"text": "a", "condition": true}', "line 1: condition is True; expected text"),
    ('{"text": "a", "condition": 1.5}', "line 1: condition is 1.5; expected text"),
    ('{"text": "", "condition": "a"}', "line 1: text is empty"),
    ('{"text": "a", "condition": ""}', "line 1: condition is empty"),
    ('{"text": "a\\ud800", "condition": "a"}', "line 1: text has '\\ud800' at character 1, which is not text"),
    ("", "the text is empty"),
    ("\n\n", "the text is empty"),
]


@pytest.mark.parametrize(("content", "said"), BAD, ids=[said[:30].replace("\\", "") for _, said in BAD])
def test_lines_that_are_no_documents_are_input_errors(tmp_path, content, said):
    (tmp_path / "d.jsonl").write_text(content)
    for level in LEVELS:
        with pytest.raises(InputError) as error:
            prepare(tmp_path / "d.jsonl", tmp_path / "out", level=level, documents=True)
        assert said in str(error.value)
        assert {path.name for path in tmp_path.iterdir()} == {"d.jsonl"}


def test_an_unknown_condition_is_named_with_its_line(tmp_path):
    vocabulary = Vocabulary("char", ("<unk>", "a"), ("x", "y"))
    path = write(tmp_path / "d.jsonl", [("a", "x"), ("a", "z")])
    with pytest.raises(InputError, match=r"d.jsonl, line 2: unknown condition 'z'; there are x, y"):
        prepare(path, tmp_path / "out", vocabulary=vocabulary, documents=True)


# -- conditions in a vocabulary


def test_conditions_are_kept_with_the_vocabulary():
    for vocabulary in (Vocabulary("byte", conditions=("a", "b")), Vocabulary("char", ("<unk>", "x"), ("a", "b"))):
        assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary
        assert (vocabulary.end, vocabulary.span) == (len(vocabulary), len(vocabulary) + 3)
        assert [vocabulary.begin(on) for on in "ab"] == [len(vocabulary) + 1, len(vocabulary) + 2]
        assert vocabulary.shown(len(vocabulary)) == "<end>"


def test_a_vocabulary_without_conditions_is_what_it_was():
    vocabulary = Vocabulary("char", ("<unk>", "x"))
    assert vocabulary.to_json() == {"level": "char", "tokens": ["<unk>", "x"]}
    assert (vocabulary.end, vocabulary.span) == (None, 2)
    with pytest.raises(InputError, match="condition 'a': the model was trained on a text without any; leave it out"):
        vocabulary.begin("a")


def test_a_condition_that_is_not_there_is_answered_with_those_that_are():
    vocabulary = Vocabulary("byte", conditions=("a", "b"))
    with pytest.raises(InputError, match=r"unknown condition 'c'; there are a, b$"):
        vocabulary.begin("c")
    with pytest.raises(InputError, match=r"writes on a condition, and none was given; there are a, b$"):
        vocabulary.begin(None)
    with pytest.raises(InputError, match=r"there are 0, 1, .*, 19 and 80 more$"):
        Vocabulary("byte", conditions=tuple(map(str, range(100)))).begin("c")


@pytest.mark.parametrize("conditions", [["a", "a"], [""], "ab", [1]])
def test_damaged_conditions_are_input_errors(conditions):
    with pytest.raises(InputError, match=r"the vocabulary is damaged: .*condition"):
        Vocabulary.from_json({"level": "byte", "conditions": conditions})


# -- batches

ENDED = np.array([7, 0, 1, 6, 2, 3, 4, 7, 0, 6, 1, 2, 5])  # 5 is an end, 6 and 7 begin documents
TARGETS = [0, 1, 5, 2, 3, 4, 5, 0, 5, 1, 2, 5]  # of all but the first


def test_what_begins_next_is_no_target_but_the_end():
    inputs, targets = LanguageBatches(ENDED, 2, 6, end=5)[0]
    assert inputs.T.tolist() == [[7, 0, 1, 6, 2, 3], [4, 7, 0, 6, 1, 2]]
    assert targets.T.flatten().tolist() == TARGETS
    inputs, targets, _ = ScoringBatches(ENDED, 1, 12, end=5)[0]
    assert inputs.flatten().tolist() == ENDED[:-1].tolist()
    assert targets.flatten().tolist() == TARGETS
    assert ENDED.tolist()[3] == 6, "the tokens are as they were"


@pytest.mark.parametrize("streams", [1, 2, 3, 4, 5, 12, 20])
@pytest.mark.parametrize("steps", [1, 4, 64])
def test_streams_to_score_begin_with_documents_and_hold_each_prediction_once(streams, steps):
    batches = ScoringBatches(ENDED, streams, steps, end=5)
    inputs, targets, lengths = zip(*batches, strict=True)
    real = torch.cat(targets) != -100
    assert real.sum() == sum(each.sum() for each in lengths) == len(ENDED) - 1
    assert torch.cat(targets).T[real.T].tolist() == TARGETS
    assert {int(ENDED[start]) for start in batches.starts if start < len(ENDED) - 1} <= {6, 7}
    assert batches.share == len(ENDED) - 1
    assert len(inputs) == len(batches)


def test_processes_share_what_is_scored_and_the_mean_over_them_counts_each_prediction_once():
    parts = [ScoringBatches(ENDED, 4, 3, first=first, count=2, end=5) for first in (0, 2)]
    assert [len(part) for part in parts] == [len(ScoringBatches(ENDED, 4, 3, end=5))] * 2
    assert [part.share for part in parts] == [6, 6]
    assert sum(int((targets != -100).sum()) for part in parts for _, targets, _ in part) == 12


def test_a_text_without_a_beginning_is_cut_evenly():
    tokens = np.arange(11) % 5
    assert ScoringBatches(tokens, 3, 4, end=5).starts.tolist() == ScoringBatches(tokens, 3, 4).starts.tolist()
