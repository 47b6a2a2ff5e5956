"""`gatework reproduce` on small experiments: what it lists, prints and writes, and how it ends and goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_toys import Command

from gatework.cli import experiments as room
from gatework.errors import InputError
from gatework.lab import EXPERIMENTS, Experiment, Progress, Size, Trial, Variant

CALLS: list[str] = []


def trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    """Solved by the first network alone; stops as Ctrl-C does where the options say so."""
    CALLS.append(f"{variant.label} {seed} {size}")
    progress("half of it")
    if variant.options.get("stop") == seed:
        raise KeyboardInterrupt
    return Trial(variant.cell != "rnn", {"sequences": 100.0 + seed}, [(1, 0.5), (2, 0.1)])


def toy(name: str, *, stop: int | None = None) -> Experiment:
    variants = (
        Variant("lstm (today)", "lstm", {}, "74,000 sequences", "T = 10"),
        Variant("rnn", "rnn", {"stop": stop}, "", "T = 10"),
        Variant("lstm (today)", "lstm", {}, "", "T = 20", quick=False),
    )
    return Experiment(name, f"The task {name}", "task", "no error", "Nobody 1900", "nothing", variants, 2, trial)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "EXPERIMENTS", {name: toy(name) for name in ("first", "second")})
    CALLS.clear()
    return tmp_path


def test_without_a_name_the_experiments_are_listed_with_their_cost(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "cost", lambda name, size: 300.0 if (name, size) == ("first", Size.FULL) else None)
    done = gatework("reproduce")
    assert (done.status, done.err, CALLS) == (0, "", [])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.lines]
    assert cells[2:] == [
        ["first", "The task first", "5.0 minutes", "not measured"],
        ["second", "The task second", "not measured", "not measured"],
    ]


def test_a_run_shows_published_and_ours_and_writes_json_and_picture(gatework: Command, here: Path):
    done = gatework("reproduce", "first", "--out", "found")
    assert done.status == 0
    row = next(line for line in done.lines if line.startswith("| T = 10 | lstm"))
    for words in ("74,000 sequences", "solved (2 seeds)", "100 (100 to 101)"):
        assert words in row
    assert "not solved (2 seeds)" in done.out
    assert "1/6 T = 10, lstm (today), seed 0: solved, sequences 100" in done.err
    assert json.loads(Path("found/first.json").read_text())["experiment"] == "first"
    assert "saved: found/first.json" in done.out
    assert Path("found/first.svg").read_text().startswith("<?xml")
    assert [path.name for path in here.iterdir()] == ["found"]


def test_a_quick_run_has_a_file_of_its_own_and_fewer_networks_and_seeds(gatework: Command):
    gatework("reproduce", "first", "--quick", "--out", "found")
    assert CALLS == ["T = 10, lstm (today) 0 quick", "T = 10, rnn 0 quick"]
    assert Path("found/first.quick.json").exists()


def test_what_is_there_is_not_run_again(gatework: Command):
    gatework("reproduce", "first", "--form", "T=10", "--cell", "lstm", "--seeds", 1)
    assert CALLS == ["T = 10, lstm (today) 0 full"]
    CALLS.clear()
    gatework("reproduce", "first", "--form", "T = 10", "--cell", "lstm,gru")
    assert CALLS == ["T = 10, gru 0 full", "T = 10, lstm (today) 1 full", "T = 10, gru 1 full"]


def test_all_are_run_in_turn(gatework: Command):
    done = gatework("reproduce", "all", "--quick", "--seeds", 1)
    assert len(CALLS) == 4
    assert done.out.index("The task first") < done.out.index("The task second")


def test_of_all_those_that_cannot_run_here_say_why_and_the_others_go_on(
    gatework: Command, monkeypatch: pytest.MonkeyPatch
):
    def lacking(*_: object) -> Trial:
        raise InputError("statsmodels is not installed")

    experiments = {"first": replace(toy("first"), trial=lacking), "second": toy("second")}
    monkeypatch.setattr(room, "EXPERIMENTS", experiments)
    done = gatework("reproduce", "all", "--quick")
    assert done.status == 0 and "not run: statsmodels is not installed" in done.out
    assert "saved: reproduced/second.quick.json" in done.out
    alone = gatework("reproduce", "first", "--quick")
    assert (alone.status, alone.err) == (2, "gatework: statsmodels is not installed\n")


def test_a_stop_keeps_the_seeds_that_have_ended_and_says_how_to_go_on(
    gatework: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(room, "EXPERIMENTS", {"first": toy("first", stop=1)})
    done = gatework("reproduce", "first", "--quick", "--seeds", 3)
    assert done.status == 130
    assert "the seeds that have ended are in reproduced/first.quick.json: the same command goes on" in done.out
    variants = json.loads(Path("reproduced/first.quick.json").read_text())["variants"]
    assert [list(variant["trials"]) for variant in variants] == [["0", "1"], ["0"]]


def test_without_matplotlib_the_table_is_all(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    def missing(*_: object) -> bytes:
        raise InputError("a picture needs matplotlib: pip install 'gatework[plot]'")

    monkeypatch.setattr(room, "svg", missing)
    done = gatework("reproduce", "first", "--quick")
    assert (done.status, "no picture: a picture needs matplotlib" in done.out) == (0, True)
    assert [path.name for path in Path("reproduced").iterdir()] == ["first.quick.json"]


WRONG = [
    (["frist"], "there is no experiment 'frist'; did you mean 'first'?; there are first, second, all"),
    (["first", "--cell", "lsmt"], "unknown cell 'lsmt'"),
    (["first", "--form", "T = 30"], "--form 'T = 30': first has no such form; there are T = 10, T = 20"),
    (["first", "--seeds", "0"], "'--seeds'"),
    (["first", "--out", "file"], "cannot make the folder file"),
    (["first", "--out", "damaged"], "damaged/first.json is damaged: not JSON"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_what_is_wrong_is_said_in_one_line_before_anything_runs(
    gatework: Command, here: Path, arguments: list[str], said: str
):
    Path("file").write_text("mine")
    Path("damaged").mkdir()
    Path("damaged/first.json").write_text("{")
    before = sorted(here.rglob("*"))
    done = gatework("reproduce", *arguments)
    assert (done.status, done.err.count("\n"), CALLS) == (2, 1, [])
    assert said in done.err
    assert sorted(here.rglob("*")) == before


def test_the_names_are_those_of_the_experiments(gatework: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "EXPERIMENTS", EXPERIMENTS)
    listed = [line.split()[1] for line in gatework("reproduce").lines[2:]]
    assert listed == list(EXPERIMENTS)


def test_its_help_fits_a_terminal(gatework: Command):
    done = gatework("reproduce", "--help")
    assert done.status == 0 and all(len(line) <= 80 for line in done.lines)
