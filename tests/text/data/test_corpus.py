"""From paths to a mapped file of tokens: the same whatever the block size, all of it or nothing."""

import errno
import json
import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import InputError
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import Vocabulary

LEVELS = ["byte", "char", "word"]
WHOLE = (1.0, 0.0, 0.0)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("Where there is a wïll,\r\nthere is a way.\n".encode())
    return path


@pytest.mark.parametrize("level", LEVELS)
def test_a_corpus_holds_its_texts_one_after_the_other(tmp_path, level):
    for name, content in {"b": "two\n", "a": "one", "c": "", "d": "é 3"}.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(content)
    corpus = prepare(tmp_path / "in", tmp_path / "out", level=level, splits=WHOLE)
    assert corpus.vocabulary.decode(corpus.tokens) == "onetwo\né 3"
    assert (corpus.counts.files, corpus.counts.bytes, corpus.counts.characters) == (4, 11, 10)
    assert (corpus.counts.tokens, corpus.counts.unknown) == (len(corpus.tokens), 0)
    assert len(corpus.tokens) == {"byte": 11, "char": 10, "word": 6}[level]


def test_a_word_does_not_go_from_one_file_into_the_next(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("one")
    (tmp_path / "in" / "b").write_text("two")
    corpus = prepare(tmp_path / "in", tmp_path / "out", level="word")
    assert corpus.vocabulary.tokens == ("<unk>", "one", "two")
    assert corpus.tokens.tolist() == [1, 2]


@pytest.mark.parametrize("level", LEVELS)
@given(texts=st.lists(st.text(), max_size=3), block=st.integers(1, 7))
def test_blocks_of_any_size_give_the_same_corpus(level, texts, block):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{k}") for k in range(len(texts) + 1)]
        for path, content in zip(paths, [*texts, "word €"], strict=True):
            path.write_bytes(content.encode())
        one = prepare(paths, Path(folder, "one"), level=level)
        many = prepare(paths, Path(folder, "many"), level=level, block=block)
        assert one.path.read_bytes() == many.path.read_bytes()
        assert (one.vocabulary, one.counts) == (many.vocabulary, many.counts)


@pytest.mark.parametrize("level", LEVELS)
def test_tokens_are_mapped_read_only_and_not_loaded(tmp_path, text, level):
    corpus = prepare(text, tmp_path / "out", level=level)
    assert isinstance(corpus.tokens, np.memmap)
    assert isinstance(corpus.train, np.memmap)
    assert not corpus.tokens.flags.writeable
    assert np.shares_memory(corpus.tokens, corpus.validation)


def test_the_file_is_raw_little_endian_ids(tmp_path, text):
    text.write_text("".join(map(chr, range(256, 1000))))
    corpus = prepare(text, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == corpus.vocabulary.encode(text.read_text()).astype("<u2").tobytes()


@given(st.integers(1, 300), st.sampled_from([(0.9, 0.05, 0.05), WHOLE, (0.5, 0.5, 0), (0.34, 0.33, 0.33)]))
def test_splits_are_contiguous_and_lose_nothing(n, splits):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a").write_bytes(bytes(k % 256 for k in range(n)))
        corpus = prepare(Path(folder, "a"), Path(folder, "out"), level="byte", splits=splits)
        parts = [corpus.train, corpus.validation, corpus.test]
        assert np.concatenate(parts).tolist() == corpus.tokens.tolist()
        assert all(abs(len(part) - share * n) <= 1 for part, share in zip(parts, splits, strict=True))


@pytest.mark.parametrize(
    "splits", [(0.9, 0.2, 0.05), (0.9, 0.1), (0, 0.5, 0.5), (1.1, -0.1, 0), (float("nan"), 0, 1), ("a", 0, 1), 1]
)
def test_splits_that_do_not_add_up_are_input_errors(tmp_path, text, splits):
    with pytest.raises(InputError, match=r"expected three shares .* that add up to 1, the first above 0"):
        prepare(text, tmp_path / "out", splits=splits)


def test_what_is_excluded_is_not_in_the_corpus(tmp_path, text):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text("b")
    assert prepare(tmp_path, tmp_path / "out", exclude=["text.*"]).counts.characters == 1


def test_a_given_vocabulary_is_used_as_it_is_and_unknown_is_counted(tmp_path, text):
    vocabulary = Vocabulary("char", ("<unk>", "e", "h"))
    corpus = prepare(text, tmp_path / "out", vocabulary=vocabulary)
    assert corpus.vocabulary is vocabulary
    assert corpus.counts.unknown == corpus.counts.tokens - 9
    assert corpus.tokens[:5].tolist() == [0, 2, 1, 0, 1]


def test_the_size_limits_the_vocabulary(tmp_path, text):
    corpus = prepare(text, tmp_path / "out", size=4)
    assert corpus.vocabulary.tokens == ("<unk>", " ", "e", "a")
    assert corpus.counts.unknown == np.count_nonzero(corpus.tokens == 0) > 0


@pytest.mark.parametrize(("level", "passes"), [("byte", 1), ("char", 2), ("word", 2)])
def test_progress_counts_the_bytes_of_every_pass(tmp_path, text, level, passes):
    heard = []
    prepare(text, tmp_path / "out", level=level, block=10, progress=lambda *call: heard.append(call))
    total = passes * text.stat().st_size
    assert heard[0] == (10, total)
    assert heard[-1] == (total, total)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_foreign_bytes_can_be_read_at_byte_level_only(tmp_path, text):
    text.write_bytes(bytes(range(256)))
    assert prepare(text, tmp_path / "out", level="byte").tokens.tolist() == [*range(256)]
    with pytest.raises(InputError, match=r"text\.txt is not UTF-8: bytes 80 at offset 128; .*--level byte$"):
        prepare(text, tmp_path / "other")


@pytest.mark.parametrize("level", LEVELS)
def test_an_empty_text_is_an_input_error_and_writes_nothing(tmp_path, text, level):
    text.write_text("")
    (tmp_path / "b.txt").write_text("")
    with pytest.raises(InputError, match=r"the text is empty: .*b\.txt, .*text\.txt holds no character"):
        prepare(tmp_path, tmp_path / "out", level=level)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.txt", "text.txt"]


@pytest.mark.parametrize("options", [{"level": "line"}, {"level": "byte", "size": 3}, {"size": 1}])
def test_options_that_make_no_sense_are_input_errors(tmp_path, text, options):
    with pytest.raises(InputError, match=r"level|vocabulary"):
        prepare(text, tmp_path / "out", **options)


def test_what_fails_halfway_leaves_nothing_and_keeps_what_was_there(tmp_path, text):
    out = tmp_path / "out"
    out.write_bytes(b"before")
    calls = []

    def fail(done, total):
        calls.append(done)
        if done > total // 2 + 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(text, out, block=5, progress=fail)
    assert len(calls) > 10
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt"]


def test_a_full_disk_is_an_input_error_that_names_the_file(tmp_path, text):
    text.write_text("abc\n" * 20_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # a write beyond fails, as on a full disk
    try:
        with pytest.raises(InputError, match=r"cannot write .*/out: File too large") as error:
            prepare(text, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.__cause__.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(("out", "reason"), [("no/out", "No such file"), ("text.txt/out", "Not a directory")])
def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path, text, out, reason):
    with pytest.raises(InputError, match=f"cannot write .*{out}: {reason}"):
        prepare(text, tmp_path / out)


def test_a_text_is_never_overwritten_by_its_own_tokens(tmp_path, text):
    before = text.read_bytes()
    with pytest.raises(InputError, match="choose another place to write"):
        prepare(tmp_path, tmp_path / "." / "text.txt")
    assert text.read_bytes() == before


@pytest.mark.parametrize("level", LEVELS)
def test_a_corpus_opens_again_from_json(tmp_path, text, level):
    corpus = prepare(text, tmp_path / "out", level=level, splits=(0.5, 0.25, 0.25))
    saved = {"vocabulary": corpus.vocabulary.to_json(), "splits": corpus.splits, "counts": corpus.counts.to_json()}
    read = json.loads(json.dumps(saved))
    again = Corpus.open(
        corpus.path, Vocabulary.from_json(read["vocabulary"]), read["splits"], Counts.from_json(read["counts"])
    )
    assert again.tokens.tolist() == corpus.tokens.tolist()
    assert again.test.tolist() == corpus.test.tolist()
    assert again.describe() == corpus.describe()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""])
def test_a_file_of_another_size_is_named_as_damaged(tmp_path, text, change):
    corpus = prepare(text, tmp_path / "out")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(change(corpus.path.read_bytes()))
    with pytest.raises(InputError, match=r"/damaged is damaged: it has \d+ bytes where 40 tokens take 40;"):
        Corpus.open(damaged, corpus.vocabulary, corpus.splits, corpus.counts)


def test_a_file_with_foreign_ids_is_named_as_damaged(tmp_path, text):
    corpus = prepare(text, tmp_path / "out")
    small = Vocabulary("char", corpus.vocabulary.tokens[:-1])
    expected = rf"/out is damaged: it holds token {len(small)}, the vocabulary has {len(small)}"
    with pytest.raises(InputError, match=expected):
        Corpus.open(corpus.path, small, corpus.splits, corpus.counts)


def test_a_missing_file_is_named(tmp_path, text):
    corpus = prepare(text, tmp_path / "out")
    with pytest.raises(InputError, match=r"cannot read .*/gone: No such file"):
        Corpus.open(tmp_path / "gone", corpus.vocabulary, corpus.splits, corpus.counts)


@pytest.mark.parametrize("data", [None, {}, {"files": 1}, [1, 2, 3, 4, 5], "damaged", -1, 1.5, True])
def test_damaged_counts_are_input_errors(data):
    sound = Counts(1, 2, 3, 4, 5).to_json()
    if not isinstance(data, dict | list | None):
        data = {**sound, "tokens": data}
    with pytest.raises(InputError, match=r"run\.json are damaged: expected the whole numbers files, bytes"):
        Counts.from_json(data, "counts in run.json")


def test_a_corpus_is_described_in_one_line(tmp_path, text):
    assert prepare(text, tmp_path / "out").describe() == (
        "1 file, 41 bytes, 40 characters; 40 tokens (0 unknown), vocabulary 18 (char level); "
        "train 36, validation 2, test 2"
    )
