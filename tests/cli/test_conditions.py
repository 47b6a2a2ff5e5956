"""Documents with conditions, from a JSONL file to a text in a manner, as one types it."""

import json
import random
import re
import shlex
import sys
from pathlib import Path

import pytest
from cli_toys import SMALL, Command, rows, torchrun, tree

from gatework.cli import main
from gatework.text.run import Run
from gatework.text.sampling import sample as write

NEW = ["train", "text", "names.jsonl", "--out", "names", *SMALL]


def names(count: int = 100) -> str:
    """Documents on two conditions, one of which wants quoting in a shell."""
    draw = random.Random(5)
    kinds = {"numbers": "0123", "two words": "abc "}
    documents = [
        {"text": "".join(draw.choices(letters, k=draw.randint(2, 9))), "condition": kind}
        for kind, letters in kinds.items()
        for _ in range(count)
    ]
    return "".join(json.dumps(document) + "\n" for document in documents)


@pytest.fixture(scope="module")
def run_on_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    (folder / "names.jsonl").write_text(names())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["gatework", *NEW])
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == 0
    return folder / "names"


@pytest.fixture
def names_here(run_on_names: Path, place: Path) -> Path:
    """The folder in which the command is called, with documents and a run on them."""
    (place / "names.jsonl").write_text(names())
    (place / "names").symlink_to(run_on_names)
    return place


def test_training_says_what_the_documents_are_and_how_to_write_one(gatework: Command, place: Path) -> None:
    Path("names.jsonl").write_text(names())
    done = gatework(*NEW)
    assert (done.status, done.err) == (0, "")
    assert done.lines[0].startswith("1 file, 200 documents on 2 conditions, ")
    assert done.lines[-1] == "next: gatework sample names --condition numbers"
    assert Run.open(Path("names")).text.documents


def test_json_can_be_read_as_the_text_that_it_is(gatework: Command, place: Path) -> None:
    Path("names.jsonl").write_text(names())
    done = gatework(*NEW, "--plain")
    assert done.status == 0
    characters = f"{Path('names.jsonl').stat().st_size:,}"
    assert done.lines[0].startswith(f"1 file, {characters} bytes, {characters} characters; {characters} tokens")
    assert done.lines[-1] == "next: gatework sample names"


def test_documents_can_come_from_anywhere(gatework: Command, place: Path) -> None:
    done = gatework(*NEW[:2], "-", "--documents", "--out", "piped", *SMALL, stdin=names().encode())
    assert (done.status, done.err) == (0, "")
    assert "200 documents on 2 conditions" in done.lines[0]
    resumed = gatework("train", "text", "--resume", "--out", "piped", "--steps", 10)
    assert resumed.status == 0
    assert len(rows(Path("piped"))) >= 10


def test_a_text_is_written_on_a_condition(gatework: Command, names_here: Path) -> None:
    run = Run.open(Path("names"))
    for condition in ("numbers", "two words"):
        text = "".join(write(run.model(), run.vocabulary, "1", 50, condition=condition, seed=3))
        done = gatework("sample", "names", "--condition", condition, "--prompt", 1, "--length", 50, "--seed", 3)
        assert (done.status, done.out, done.err) == (0, f"1{text}\n", "")


def test_documents_are_scored_with_their_own_conditions(gatework: Command, names_here: Path) -> None:
    done = gatework("score", "names", "names.jsonl")
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(r"\d\.\d{3} bits per character, perplexity [\d.]+ over 1,\d{3} characters\n", done.out)
    each = gatework("score", "names", "names.jsonl", "--each").lines
    assert sum("'<end>'" in line for line in each) == 200
    bits = sum(float(line.split()[0]) for line in each) / (len(each) - 200)
    assert bits == pytest.approx(float(done.out.split()[0]), abs=1e-3)


def test_a_text_is_scored_as_a_document_on_a_condition_or_on_none(gatework: Command, names_here: Path) -> None:
    Path("a.txt").write_text("aab ca")
    lines = [gatework("score", "names", "a.txt", "--condition", on).lines for on in ("numbers", "two words")]
    assert [len(each) for each in lines] == [1, 1]
    assert lines[0] != lines[1]
    assert all("over 6 characters" in each[0] for each in lines), "the first is predicted too"
    first, second = gatework("score", "names", "a.txt").lines
    assert "over 5 characters" in first
    assert second == "read without a condition; --condition NAME reads it as a document on one"


REFUSED = [
    ("sample names --condition nubmers", ["unknown condition 'nubmers'; there are numbers, two words"]),
    ("sample names", ["none was given; there are numbers, two words"]),
    ("sample run --condition numbers", ["condition 'numbers': the model was trained on a text without any"]),
    ("score names text.txt --condition x", ["unknown condition 'x'; there are numbers, two words"]),
    ("score run text.txt --condition x", ["condition 'x': the model was trained on a text without any"]),
    (
        "score names names.jsonl --condition numbers",
        ["--condition numbers: the documents in names.jsonl have their own"],
    ),
    ("score names other.jsonl", ["other.jsonl, line 2: unknown condition 'letters'; there are numbers, two words"]),
    ("train text labelled.jsonl --out new", ["labelled.jsonl, line 1 has no 'condition', but 'text', 'label'"]),
    ("train text text.txt --documents --out new", ["text.txt, line 1 is not JSON", "--plain"]),
    ("train text empty.jsonl --out new", ["the text is empty: empty.jsonl"]),
    ("train text --resume --out names --plain", ["--documents False: the run in names was started with True"]),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_what_cannot_be_is_answered_in_a_line(
    gatework: Command, names_here: Path, arguments: str, said: list[str]
) -> None:
    Path("other.jsonl").write_text('{"text": "1", "condition": "numbers"}\n{"text": "1", "condition": "letters"}\n')
    Path("labelled.jsonl").write_text('{"text": "1", "label": "numbers"}\n')
    Path("empty.jsonl").touch()
    before = tree(names_here)
    done = gatework(*shlex.split(arguments))
    assert done.status == 2
    assert done.err.startswith("gatework")
    assert done.err.count("\n") == 1
    assert all(words in done.err for words in said), done.err
    assert tree(names_here) == before


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(gatework: Command, place: Path) -> None:
    Path("names.jsonl").write_text(names())
    options = [*SMALL, "--streams", "4", "--bptt", "3"]
    done = torchrun("train", "text", "names.jsonl", "--out", "two", *options)
    assert done.returncode == 0, done.stderr
    assert gatework("train", "text", "names.jsonl", "--out", "one", *options).status == 0
    for two, one in zip(rows(Path("two")), rows(Path("one")), strict=True):
        for name, value in one.items():
            if value:
                assert float(two[name]) == pytest.approx(float(value), rel=1e-4), name
