"""The commands of pairs: train pairs, convert, score."""

import json
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_toys import Command, interrupted, rows, torchrun, tree
from pair_toys import capitals, frames, reversals, write_pairs

import gatework as gw
from gatework.cli import main
from gatework.pairs.converter import Converter
from gatework.pairs.data.examples import Examples
from gatework.pairs.run import Run

SMALL = "--hidden 16 --layers 1 --batch 300 --learning-rate 0.02 --steps 60 --splits 0.7,0.2,0.1 --device cpu"
NEW = f"train pairs pairs.tsv --out new {SMALL}"


def write_files() -> None:
    write_pairs(Path("pairs.tsv"), *reversals())
    write_pairs(Path("more.tsv"), *reversals(20, seed=1))
    X, y = capitals()
    write_pairs(Path("capitals.tsv"), X, y)
    Path("pairs.csv").write_text("".join(f"{a},{b}\n" for a, b in [("word", "back"), *zip(*reversals(), strict=True)]))
    Path("pairs.jsonl").write_text(
        "".join(json.dumps({"source": a, "target": [b, b + b]}) + "\n" for a, b in zip(X, y, strict=True))
    )
    Path("one.tsv").write_text("ab\n")
    Path("three.tsv").write_text("a\tb\tc\n")
    Path("gap.tsv").write_text("ab\tba\ncd\t\n")
    Path("empty.tsv").write_text("")
    Path("long.tsv").write_text("a\tabc\nb\tb\n")
    Path("latin.tsv").write_bytes("ü\tu\n".encode("latin-1"))
    Path("broken.jsonl").write_text('{"source": "a", "target": "b"}\n{"source": \n')
    Path("missing.jsonl").write_text('{"source": "a"}\n')
    Path("number.jsonl").write_text('{"source": "a", "target": 3}\n')
    Path("words.txt").write_text("ab\nabc\n")
    Path("broken.npz").write_bytes(b"PK no archive")
    _, names = frames(20)
    np.savez("frames.npz", X=np.random.default_rng(0).normal(size=(20, 12, 2)), y=names)
    Path("foreign").mkdir()
    Path("foreign/thesis.tex").write_text("all I have")


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files, a run of attention, and one of CTC, to be copied."""
    folder = tmp_path_factory.mktemp("pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_files()
        for command in (f"{NEW} --out run", f"train pairs capitals.tsv --out ctc --align ctc {SMALL}"):
            patch.setattr(sys, "argv", ["gatework", *shlex.split(command)])
            with pytest.raises(SystemExit) as end:
                main()
            assert end.value.code == 0
    return folder


@pytest.fixture
def place(learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of that folder, which the command is called in."""
    shutil.copytree(learnt, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


# -- training


def test_training_tells_what_it_does_from_the_file_to_what_is_next(gatework: Command, place: Path) -> None:
    done = gatework(*shlex.split(NEW))
    assert (done.status, done.err) == (0, "")
    told = done.lines
    assert told[0] == "pairs.tsv: 120 sources; training 84, validation 24, test 12"
    assert told[1].startswith("first pair: ")
    assert told[2] == "from 1 to 5 characters (vocabulary 4) to 1 to 5 characters (vocabulary 4)"
    assert told[3].startswith("lstm, 8, 8, bidirectional=True, engine='auto'")
    assert told[3].endswith(" weights")
    assert told[4].startswith("step 0: validation ") and told[4].endswith("% of symbols wrong")
    assert "step 1/60  loss " in done.out and " symbols/s" in done.out
    assert "finished at step 60, after 0:0" in done.out
    assert any(line.startswith("best validation ") and "new/best.safetensors" in line for line in told)
    report = told[told.index("held-out sources:") :]
    assert "of 12 whole targets right" in report[1] and "word error rate" in report[1]
    assert report[2].startswith("symbol error rate ")
    assert report[3].startswith("perplexity ")
    assert told[-1] == "next: gatework convert new TEXT"
    header = Path("new/metrics.csv").read_text().splitlines()[0]
    assert "validation_error" in header and "validation_bits" not in header


def test_a_first_row_that_may_be_names_is_said_and_is_no_pair_once_they_are_named(
    gatework: Command, place: Path
) -> None:
    Path("named.tsv").write_text(f"the word\tback\n{Path('pairs.tsv').read_text()}")
    train = f"train pairs named.tsv --overwrite --out new {SMALL} --steps 1"
    said = [line for line in gatework(*shlex.split(train)).lines if line.startswith(("named.tsv", "first pair"))]
    options = "--source 'the word' --target back"
    assert said[0].startswith("named.tsv: 121 sources")
    assert said[1] == f"first pair: 'the word' -> 'back'; if that is a header, name the columns: {options}"
    named = gatework(*shlex.split(f"{train} {options}"))
    assert named.lines[0].startswith("named.tsv: 120 sources")
    assert "first pair" not in named.out
    assert "first pair" not in gatework(*shlex.split(train.replace("named.tsv", "pairs.jsonl"))).out


def test_a_first_row_that_may_be_names_is_said_wherever_a_table_is_read(gatework: Command, place: Path) -> None:
    Path("named.tsv").write_text(f"word\tback\n{Path('pairs.tsv').read_text()}")
    scored = gatework("score", "run", "named.tsv")
    options = "--source word --target back"
    said = f"note: first pair: 'word' -> 'back'; if that is a header, name the columns: {options}"
    assert scored.err.splitlines() == [said]
    assert gatework(*shlex.split(f"score run named.tsv {options}")).err == ""
    converted = gatework("convert", "run", "named.tsv")
    said = "note: first source: 'word'; if that is a header, name the column: --source word"
    assert (said in converted.err.splitlines(), converted.lines[0].startswith("word\t")) == (True, True)
    named = gatework(*shlex.split("convert run named.tsv --source word"))
    assert ("first source" in named.err, len(named.lines)) == (False, len(converted.lines) - 1)


def test_target_symbols_that_training_lacks_are_said(gatework: Command, place: Path) -> None:
    X, y = reversals()
    write_pairs(Path("odd.tsv"), X, [f"{text}{chr(0x4E00 + k)}" for k, text in enumerate(y)])
    done = gatework(
        *shlex.split("train pairs odd.tsv --out new --steps 1 --hidden 4 --splits 0.5,0.3,0.2 --device cpu")
    )
    assert (
        "60 target symbols of the other parts are none of the training part's: they stay wrong" in done.out.splitlines()
    )


def test_sizes_that_nobody_names_are_said(gatework: Command, place: Path) -> None:
    done = gatework(*shlex.split("train pairs pairs.tsv --out new --steps 2 --device cpu"))
    assert done.status == 0
    assert done.lines[0].startswith("sizes for 108 pairs of ")
    assert done.lines[0].endswith("any that is named stays")


def test_the_options_reach_the_run(gatework: Command, place: Path) -> None:
    options = (
        "--cell gru --hidden 6 --layers 2 --one-way --embedding 5 --attention additive --heads 2 --window 3 --coverage "
        "--input-feeding --dropout 0.1 --label-smoothing 0.05 --scheduled-sampling 0.2 --zoneout h=0.05 "
        "--engine reference --epochs 4 --steps 2 --minutes 5 --batch 70 --learning-rate 0.1 --weight-decay 0.2 "
        "--criterion words --patience 9 --beams 3 --length-normalisation 0.6 --seed 3 --splits 0.5,0.3,0.2 "
        "--precision bfloat16 --source-level byte --target-level word --source word --target back"
    )
    done = gatework(*shlex.split(f"train pairs pairs.csv --out new --device cpu {options}"))
    assert (done.status, done.err) == (0, "")
    assert "% of targets wrong" in done.out
    run = Run.open(Path("new"))
    found = run.job.options
    assert (found.cell, found.hidden, found.layers, found.bidirectional, found.embedding) == ("gru", 6, 2, False, 5)
    assert (found.attention, found.heads, found.window, found.coverage) == ("additive", 2, 3, True)
    assert (found.input_feeding, found.dropout, found.label_smoothing, found.scheduled_sampling) == (
        True,
        0.1,
        0.05,
        0.2,
    )
    assert (found.recurrent, found.engine, found.epochs, found.steps, found.minutes) == (
        {"zoneout": {"h": 0.05}},
        "reference",
        4,
        2,
        5,
    )
    assert (found.batch, found.learning_rate, found.weight_decay, found.criterion) == (70, 0.1, 0.2, "words")
    assert (found.patience, found.beams, found.length_normalisation, found.random_state) == (9, 3, 0.6, 3)
    assert (found.precision, found.source_level, found.target_level) == ("bfloat16", "byte", "word")
    assert run.counts == {"training": 60, "validation": 36, "test": 24}


def test_ctrl_c_saves_and_resume_goes_on_to_the_same_numbers(gatework: Command, place: Path) -> None:
    with interrupted(at=9):
        done = gatework(*shlex.split(NEW))
    assert done.status == 130
    assert done.lines[-1] == "go on with: gatework train pairs --resume --out new"
    assert gatework("train", "pairs", "--resume", "--out", "new").status == 0
    assert rows(Path("new")) == rows(Path("run"))


@pytest.mark.slow
def test_best_weights_that_are_gone_are_named_before_a_run_goes_on(gatework: Command, place: Path) -> None:
    Path("run/best.safetensors").unlink()
    before = tree(place)
    resume = "train pairs --resume --out run --device cpu --steps 62"
    done = gatework(*shlex.split(resume))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("gatework: run/best.safetensors does not exist, which had the best weights so far, of ")
    assert done.err.endswith(": put it back, or copy run/last.safetensors to it\n")
    assert tree(place) == before
    shutil.copy("run/last.safetensors", "run/best.safetensors")
    assert gatework(*shlex.split(resume)).status == 0


def test_two_processes_share_the_batches(gatework: Command, place: Path) -> None:
    done = torchrun("train", "pairs", "pairs.tsv", "--out", "new", *shlex.split(SMALL), "--steps", "8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held-out sources:") == 1
    assert len(rows(Path("new"))) == 9
    resumed = torchrun("train", "pairs", "--resume", "--out", "new", "--steps", "10")
    assert resumed.returncode == 0, resumed.stderr
    assert len(rows(Path("new"))) == 11


# -- converting


def test_texts_are_converted_a_line_each(gatework: Command, place: Path) -> None:
    predicted = gw.load("run").predict(["abc", "dab"])
    done = gatework("convert", "run", "abc", "dab")
    assert (done.status, done.err) == (0, "")
    assert done.lines == [f"abc\t{predicted[0]}", f"dab\t{predicted[1]}"]
    assert gatework("convert", "run", "words.txt").lines == gatework("convert", "run", "ab", "abc").lines
    assert gatework("convert", "run", "-", stdin=b"abc\ndab\n").lines == done.lines
    assert gatework("convert", "run", "ab" * 500).status == 0  # longer than a name of a file
    assert gatework("convert", "run", "word.txt").err.startswith("note: word.txt is no file, and is read as a text\n")
    table = gatework("convert", "run", "pairs.csv", "--source", "word")
    assert [line.split("\t")[0] for line in table.lines] == reversals()[0]


def test_answers_are_printed_as_they_come_and_ctrl_c_leaves_them(
    gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gatework("convert", "run", "words.txt", "--out", "whole.jsonl")
    monkeypatch.setattr("gatework.cli.convert.AT_A_TIME", 1)
    assert gatework("convert", "run", "words.txt", "--out", "pieces.jsonl").out == whole.out
    assert Path("pieces.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    convert = Converter.convert

    def pressed(self: Converter, examples: Examples, *others: Any) -> Any:
        if examples.sources == [tuple("abc")]:
            signal.raise_signal(signal.SIGINT)
        return convert(self, examples, *others)

    monkeypatch.setattr(Converter, "convert", pressed)
    done = gatework("convert", "run", "words.txt", "--out", "stopped.jsonl")
    assert (done.status, done.lines, done.err) == (130, whole.lines[:1], "gatework: interrupted\n")
    assert not Path("stopped.jsonl").exists()


def test_the_best_come_with_their_probability(gatework: Command, place: Path) -> None:
    done = gatework("convert", "run", "abc", "--best", 3)
    fields = [line.split("\t") for line in done.lines]
    assert [field[0] for field in fields] == ["abc"] * 3
    assert all(0 <= float(field[2]) <= 1 for field in fields)
    assert gatework("convert", "run", "abc", "--beams", 1).lines[0].count("\t") == 1


def test_answers_are_written_as_lines_of_json(gatework: Command, place: Path) -> None:
    assert gatework("convert", "run", "abc", "ab", "--best", 2, "--out", "answers.jsonl").status == 0
    first, second = map(json.loads, Path("answers.jsonl").read_text().splitlines())
    assert (first["source"], second["source"]) == ("abc", "ab")
    assert len(first["targets"]) == 2
    assert first["targets"][0].keys() == {"target", "score", "log_probability"}


@pytest.mark.parametrize("run", ["run", "ctc"])
def test_attention_is_a_table_or_a_picture(gatework: Command, place: Path, run: str) -> None:
    done = gatework("convert", run, "abcd", "--attention", "table")
    assert done.status == 0
    first, head, *table = done.lines
    target = first.split("\t")[1]
    assert head.split() == list("abcd")
    assert [line.split()[0] for line in table] == list(target)
    assert all(len(line.split()) == 5 for line in table)
    assert gatework("convert", run, "abcd", "--attention", "word.svg").lines == [first]
    svg = ElementTree.parse("word.svg").getroot()
    cells = [each for each in svg.iter() if each.get("class") == "cell"]
    assert len(cells) == 4 * len(target)


def test_symbols_that_training_has_not_seen_are_said(gatework: Command, place: Path) -> None:
    done = gatework("convert", "run", "abz", "zz")
    assert done.status == 0
    assert done.err == "note: 1 of the characters is new to the model, which reads <unk> for each: 'z' 3\n"


def test_frames_are_converted_from_a_file(gatework: Command, place: Path) -> None:
    options = SMALL.replace("--steps 60", "--steps 3")
    assert gatework(*shlex.split(f"train pairs frames.npz --out new --align ctc {options}")).status == 0
    done = gatework("convert", "new", "frames.npz")
    assert (done.status, len(done.lines)) == (0, 20)
    assert done.lines[0].startswith("12 frames\t")
    assert "nowhere.npz does not exist" in gatework("convert", "new", "nowhere.npz").err


# -- scoring


def test_a_score_says_errors_perplexity_and_confusions(gatework: Command, place: Path) -> None:
    done = gatework("score", "run", "more.tsv")
    assert (done.status, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("note: first pair: ")
    assert "of 20 whole targets right (95 % interval" in done.lines[0]
    assert done.lines[1].startswith("symbol error rate ")
    assert done.lines[2].startswith("perplexity ")
    foreign = gatework("score", "run", "-", stdin="abc\tCBÄ\n".encode())
    assert foreign.lines[-1].startswith("1 of the targets' characters is none that the model writes")
    assert gatework("score", "ctc", "capitals.tsv").lines[2].startswith("perplexity ")
    assert gatework("score", "run", "pairs.csv", "--source", "word", "--target", "back").status == 0


def test_a_model_runs_without_a_folder_of_its_own_data(gatework: Command, place: Path) -> None:
    Path("run/data.safetensors").unlink()
    assert gatework("convert", "run", "abc").status == 0


# -- what is given wrong

WRONG = [
    ("train pairs --out new", "no file was given"),
    ("train pairs nowhere.tsv --out new", "nowhere.tsv does not exist"),
    ("train pairs empty.tsv --out new", "empty.tsv"),
    ("train pairs one.tsv --out new", "one.tsv, line 1 has 1 column"),
    ("train pairs three.tsv --out new", "three.tsv, line 1 has 3 columns"),
    ("train pairs gap.tsv --out new", "gap.tsv, line 2, column 2"),
    ("train pairs latin.tsv --out new", "latin.tsv"),
    ("train pairs broken.jsonl --out new", "broken.jsonl, line 2"),
    ("train pairs missing.jsonl --out new", 'missing.jsonl, line 1 has no "target"'),
    ("train pairs number.jsonl --out new", "number.jsonl, line 1, column target"),
    ("train pairs broken.npz --out new", "broken.npz is damaged"),
    ("train pairs frames.npz --out new", "which CTC aligns: --align ctc"),
    ("convert run abc --beams 100000", "beams is 100,000; expected 1,000 at most"),
    ("train pairs long.tsv --out new --align ctc", "long.tsv, line 1: 3 target symbols for 1 source steps"),
    ("train pairs capitals.tsv --out new --align ctc --heads 2", "heads is 2, of a decoder"),
    ("train pairs pairs.tsv --out new --source nix", "no column 'nix'"),
    ("train pairs pairs.tsv --out new --heads 3 --hidden 16", "heads is 3"),
    ("train pairs pairs.tsv --out new --splits 0.9,0.2", "--splits 0.9,0.2"),
    ("train pairs pairs.tsv --out new --source-level letter", "'--source-level'"),
    ("train pairs pairs.tsv --out new --precision half", "'half' is not one of 'float32', 'bfloat16'"),
    ("train pairs --resume --out run --precision bfloat16", "--precision: a run goes on with what it was started with"),
    ("train pairs pairs.tsv --out new --cell lsmt", "unknown cell 'lsmt'"),
    ("train pairs pairs.tsv --out run", "run exists: --resume goes on with it"),
    ("train pairs pairs.tsv --out foreign --overwrite", "foreign exists and is no run"),
    ("train pairs --resume --overwrite --out run", "give one of them"),
    ("train pairs --resume --out run --hidden 3", "--hidden: a run goes on with what it was started with"),
    ("train pairs --resume --out nowhere", "nowhere does not exist"),
    ("convert run", "no source was given"),
    ("convert nowhere ab", "nowhere does not exist"),
    ("convert run ''", "TEXT[0] is empty"),
    ("convert run empty.tsv", "empty.tsv is empty: expected a source in each line"),
    (f"convert run {'a' * 5000}", "TEXT[0] has 5,000 characters; expected 4,096 at most"),
    ("inspect run --unit l0.c.1", "unit is 'l0.c.1'; run is a run of pairs"),
    ("convert run ab --best 0", "--best 0"),
    ("convert run ab --beams 0", "--beams 0: expected 1 or more"),
    ("convert run ab cd --attention a.svg", "a picture shows one source, and there are 2"),
    ("convert run ab --attention a.png", "a.png: expected table, or a file"),
    ("convert run ab --attention no/a.svg", "cannot write no/a.svg"),
    ("convert run ab --out no/a.jsonl", "cannot write no/a.jsonl"),
    ("convert run frames.npz", "expected texts, as the model was trained on"),
    ("convert run words.txt --device nonsense", "nonsense"),
    ("score run nowhere.tsv", "nowhere.tsv does not exist"),
    ("score run words.txt", "words.txt, line 1 has 1 column"),
    ("score run more.tsv --each", "--each: run is a run of pairs"),
    ("score ctc long.tsv", "CTC needs 3"),
    ("predict run more.tsv", "task 'pairs'"),
    ("sample run", "task 'pairs'"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[arguments for arguments, _ in WRONG])
def test_what_is_given_wrong_ends_in_one_line(gatework: Command, place: Path, arguments: str, said: str) -> None:
    before = tree(place)
    done = gatework(*shlex.split(arguments))
    assert done.status == 2, done
    assert done.err.startswith("gatework") and done.err.count("\n") == 1, done.err
    assert said in done.err
    assert tree(place) == before


def test_a_decoder_without_attention_has_nothing_to_show(gatework: Command, place: Path) -> None:
    options = SMALL.replace("--steps 60", "--steps 2")
    assert gatework(*shlex.split(f"train pairs pairs.tsv --out new --attention none {options}")).status == 0
    done = gatework("convert", "new", "ab", "--attention", "table")
    assert (done.status, done.out) == (2, "")
    assert "the model has no attention" in done.err
