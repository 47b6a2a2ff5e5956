"""Fine-tuning: a run begins with the weights of another one, keeps its vocabulary, and says what is new to it."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from text_toys import SMALL, At, go_on, rows, start, tree, write_text

from gatework.errors import InputError
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.fine_tuning import fine_tune_text
from gatework.text.run import Run
from gatework.text.unknown import unknown_line
from gatework.training.checkpoint import load_checkpoint
from gatework.training.events import Step, Validation

QUICK: dict[str, Any] = {"steps": 6, "evaluate_every": 3, "warmup": 1}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on letters."""
    folder = tmp_path_factory.mktemp("first")
    shape = replace(SMALL, dropout=0.1, initial="learned")
    start(folder / "run", write_text(folder), shape=shape, learning_rate=0.02, optimizer="adam", clip=0.7)
    return folder / "run"


def tune(first: Path, out: Path, *paths: Path, **options: Any) -> Any:
    options["settings"] = QUICK | options.get("settings", {})
    return fine_tune_text(first, out, [str(path) for path in paths], device="cpu", **options)


def same(a: Path, b: Path) -> bool:
    one, other = load_checkpoint(a).part("model"), load_checkpoint(b).part("model")
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_it_begins_with_the_best_weights_and_a_new_optimiser(first: Path, tmp_path: Path) -> None:
    before, seen = tree(first), []
    other = write_text(tmp_path, 700, "fedcba\n", "other.txt")
    out = tmp_path / "run"

    def look() -> None:
        seen.append(same(out / "last.safetensors", first / "best.safetensors"))
        held = load_checkpoint(out / "last.safetensors")
        seen.append((held.progress.step, held.part("optimizer")))

    report = At(Validation, 1, look)
    outcome = tune(first, out, other, report=report)
    assert seen == [True, (0, {})]
    assert (outcome.result.why, outcome.result.step) == ("finished", 6)
    assert not same(out / "best.safetensors", first / "best.safetensors")
    assert tree(first) == before, "the run that it began from is as it was"


def test_it_is_better_at_once_than_a_model_that_knows_nothing(first: Path, tmp_path: Path) -> None:
    pattern = tmp_path / "pattern.txt"
    pattern.write_text("abcabd\n" * 150)
    start(tmp_path / "one", pattern, "lstm", steps=150, evaluate_every=75, learning_rate=0.03)
    told = At(Validation, 1, lambda: None)
    tune(tmp_path / "one", tmp_path / "two", report=told)
    assert next(event.loss < 0.2 for event in told.events if isinstance(event, Validation))


def test_what_is_not_said_anew_is_as_it_was(first: Path, tmp_path: Path) -> None:
    tune(
        first,
        tmp_path / "run",
        shape={"dropout": 0.0, "zoneout": {"h": 0.1}},
        settings={"learning_rate": 0.001},
        batching={"steps": 5},
        text={"splits": (0.8, 0.1, 0.1)},
    )
    old, new = Run.open(first), Run.open(tmp_path / "run")
    assert (new.cell, new.vocabulary) == (old.cell, old.vocabulary)
    assert new.shape == replace(old.shape, dropout=0.0, zoneout={"h": 0.1})
    assert new.settings == replace(old.settings, learning_rate=0.001, **QUICK)
    assert new.batching == replace(old.batching, steps=5)
    assert new.text == replace(old.text, splits=(0.8, 0.1, 0.1)), "its own text, as none was named"


def test_without_an_end_it_is_one_epoch(first: Path, tmp_path: Path) -> None:
    outcome = fine_tune_text(first, tmp_path / "run", device="cpu")
    settings = Run.open(tmp_path / "run").settings
    assert (settings.steps, settings.epochs, settings.minutes) == (None, 1, None)
    assert outcome.result.step == settings.evaluate_every == 38


def test_the_run_records_what_it_came_from(first: Path, tmp_path: Path) -> None:
    tune(first, tmp_path / "run")
    best = load_checkpoint(first / "best.safetensors").progress.step
    assert Run.open(tmp_path / "run").origin == {"run": str(first), "weights": "best.safetensors", "step": best}
    assert Run.open(first).origin is None


@pytest.mark.parametrize("damage", [7, "x", {}, {"run": 1, "weights": "b", "step": 1}, {"run": "r", "weights": "b"}])
def test_a_damaged_record_of_it_is_one_line(first: Path, tmp_path: Path, damage: Any) -> None:
    tune(first, tmp_path / "run", settings={"steps": 1})
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"from": damage}))
    with pytest.raises(InputError, match=r"run\.json is damaged: the run that it began from is none"):
        Run.open(tmp_path / "run")


def test_it_resumes_bit_for_bit_also_when_the_first_run_is_gone(first: Path, tmp_path: Path) -> None:
    other = write_text(tmp_path, 700, "fedcba\n", "other.txt")
    tune(first, tmp_path / "whole", other)
    with pytest.raises(KeyboardInterrupt):
        tune(first, tmp_path / "parts", other, report=At(Step, 4, interrupt), settings={"save_every": 1e-9})
    path = tmp_path / "parts" / "run.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"from": values["from"] | {"run": str(tmp_path / "gone")}}))
    go_on(tmp_path / "parts")
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_run_of_documents_goes_on_with_documents(tmp_path: Path) -> None:
    def write(name: str, count: int) -> Path:
        lines = [json.dumps({"text": "ab" * 9 if k % 2 else "ba" * 9, "condition": "xy"[k % 2]}) for k in range(count)]
        (tmp_path / name).write_text("\n".join(sorted(lines)))
        return tmp_path / name

    start(tmp_path / "first", write("a.jsonl", 60), documents=True, steps=2)
    tune(tmp_path / "first", tmp_path / "run", write("b.jsonl", 80))
    run = Run.open(tmp_path / "run")
    assert run.text.documents and run.vocabulary.conditions == ("x", "y")
    tokens = run.corpus().tokens
    begun = tokens[tokens > run.vocabulary.end]
    assert len(set(begun[:20].tolist())) == 2, "the documents, sorted in the file, come in any order"
    (tmp_path / "c.jsonl").write_text('{"text": "a", "condition": "z"}')
    with pytest.raises(InputError, match=r"c\.jsonl, line 1: unknown condition 'z'; there are x, y"):
        tune(tmp_path / "first", tmp_path / "other", tmp_path / "c.jsonl")


# -- what is new to the model


def test_unknown_characters_are_counted_and_read_as_unknown(first: Path, tmp_path: Path) -> None:
    path, told = tmp_path / "new.txt", list[Corpus]()
    path.write_text("abcdef\n" * 100 + "é☃é")
    tune(first, tmp_path / "run", path, on_start=lambda corpus, *_: told.append(corpus))
    assert told[0].unknown == {"é": 2, "☃": 1}
    assert (told[0].tokens[-3:] == 0).all()
    line = "2 characters are new to the model, 3 in all: 'é' 2, '☃' 1; each is read as <unk>, and never written"
    assert unknown_line(told[0]) == line


def corpus_of(unknown: dict[str, int], tokens: int, level: Any = "char") -> Corpus:
    vocabulary = Vocabulary.of(level, Counter("ab"))
    counts = Counts(1, tokens, tokens, tokens, sum(unknown.values()))
    return Corpus(Path("x"), vocabulary, vocabulary.encode("ab"), (1.0, 0.0, 0.0), counts, Counter(unknown))


def test_many_unknown_characters_are_named_as_far_as_a_line_goes() -> None:
    many = corpus_of({chr(0x4E00 + k): 40 - k for k in range(30)}, 100_000)
    assert (unknown_line(many) or "").startswith("30 characters are new to the model, 765 in all: '一' 40, ")
    assert (unknown_line(many) or "").count("'") == 2 * 12
    assert " and 18 more; each is read as <unk>" in (unknown_line(many) or "")
    assert unknown_line(corpus_of({}, 10)) is None
    assert "'\\x1b' 1;" in (unknown_line(corpus_of({"\x1b": 1}, 100)) or ""), "controls are escaped"
    assert "1 word is new" in (unknown_line(corpus_of({"new": 1}, 100, "word")) or "")


@pytest.mark.parametrize(("unknown", "said"), [(9, False), (10, True)])
def test_where_much_is_unknown_a_remedy_is_named(unknown: int, said: bool) -> None:
    assert ("--level byte knows every character" in (unknown_line(corpus_of({"é": unknown}, 100)) or "")) == said


@pytest.mark.parametrize("level", ["char", "word"])
def test_unknown_pieces_of_documents_are_counted_too(tmp_path: Path, level: Any) -> None:
    vocabulary = Vocabulary.of(level, Counter(["a", " "]), conditions=["x"])
    (tmp_path / "a.jsonl").write_text('{"text": "a b a b", "condition": "x"}\n{"text": "c", "condition": "x"}')
    corpus = prepare(tmp_path / "a.jsonl", tmp_path / "t", vocabulary=vocabulary, level=level, documents=True)
    assert corpus.unknown == {"b": 2, "c": 1}


# -- what is refused


def test_nothing_known_in_the_text_is_one_line(first: Path, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("日本" * 500)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=r"new\.txt has nothing that the model has ever seen"):
        tune(first, tmp_path / "run", tmp_path / "new.txt")
    assert tree(tmp_path) == before


def test_a_run_does_not_begin_from_itself(first: Path) -> None:
    before = tree(first)
    with pytest.raises(InputError, match="is the run to begin from: name another folder"):
        tune(first, first, overwrite=True)
    assert tree(first) == before


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(first: Path, tmp_path: Path) -> None:
    for changes in ({"hidden": 9}, {"layers": 2}, {"initial": "zero"}, {"embedding": 6}):
        with pytest.raises(InputError, match=r"best\.safetensors does not fit this model"):
            tune(first, tmp_path / "run", shape=changes)
    assert tree(tmp_path) == {}
