"""Series on the command line: train, forecast, go on with new rows, backtest."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cli_toys import Command, Done, tree

from gatework.cli import main, progress, series_lines, tables
from gatework.forecast import backtest as forecast_backtest
from gatework.forecast import rivals as forecast_rivals
from gatework.forecast import training

AIR = Path(__file__).parents[2] / "examples" / "air_passengers.csv"
SMALL = "--steps 4 --members 1 --hidden 4"
BAD = {
    "inf.csv": "ds,y\n2020-01,1\n2020-02,inf\n",
    "word.csv": "ds,y\n2020-01,1\n2020-02,many\n",
    "short.csv": "ds,y\n2020-01,1\n2020-02,2\n2020-03,1\n",
    "same.csv": "ds,y\n" + "".join(f"{month},5\n" for month in np.datetime64("2020-01") + np.arange(60)),
    "empty.csv": "",
    "later.csv": "ds,y\n1961-01,450\n1961-02,420\n",
    "odd.csv": "ds,y\n1961-01-15,450\n1961-02-15,420\n",
    "other.csv": "unique_id,ds,y\nb,2,1\n",
    "future.csv": "unique_id,ds,price\n" + "".join(f"{id},{ds},1\n" for id in "ab" for ds in (61, 62)),
    "odd_panel.csv": "unique_id,ds,y\n"
    + "".join(f"{id},{t},{t % 7 + t / 90:.2f}\n" for id in ("a", "b") for t in range(1, 61))
    + "short,58,3\nshort,59,4\nempty,60,\n",
    "shorts.csv": "unique_id,ds,y\na,1,2\na,2,3\nb,1,5\n",
    "near.csv": "unique_id,ds,price\na,61,1\nb,61,1\n",
}


def shop(path: Path) -> None:
    """Two series with a column that is known in the future."""
    rng = np.random.default_rng(0)
    price = rng.integers(1, 5, 120).astype(float)
    frame = {
        "unique_id": ["a"] * 60 + ["b"] * 60,
        "ds": [*range(1, 61)] * 2,
        "y": 100 - 10 * price + rng.normal(size=120),
        "price": price,
    }
    pl.DataFrame(frame).write_parquet(path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tables and two runs, to be copied."""
    folder = tmp_path_factory.mktemp("series")
    shutil.copy(AIR, folder / "air.csv")
    shop(folder / "shop.parquet")
    for name, text in BAD.items():
        (folder / name).write_text(text)
    for command in (
        f"train series air.csv --horizon 6 --out air {SMALL}",
        f"train series shop.parquet --horizon 2 --known price --out shop {SMALL}",
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr("sys.argv", ["gatework", *shlex.split(command)])
            with pytest.raises(SystemExit) as end:
                main()
        assert end.value.code == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of that folder, which the command is called in."""
    shutil.copytree(trained, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def good(done: Done) -> Done:
    assert done.status == 0, done
    assert "gatework" not in done.err, done
    return done


def test_training_says_what_was_found_and_what_to_do_next(gatework: Command, folder: Path) -> None:
    done = good(gatework("train", "series", "air.csv", "--horizon", 6, "--out", "deep/new", *SMALL.split()))
    assert done.lines[0] == "1 series of 144 values, monthly, 1949-01 to 1960-12"
    assert "season 12" in done.out
    assert "base forecast" in done.out
    assert done.lines[-1] == "next: gatework forecast deep/new"
    description = json.loads((folder / "deep/new/run.json").read_text())
    assert description["horizon"] == 6
    assert {path.suffix for path in (folder / "deep/new").iterdir()} == {".json", ".safetensors"}


def test_a_forecast_is_printed_written_and_drawn(gatework: Command, folder: Path) -> None:
    done = good(gatework("forecast", "air"))
    assert done.lines[0].split() == ["ds", "forecast", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert [line.split()[0] for line in done.lines[1:7]] == [f"1961-0{month}" for month in range(1, 7)]
    assert done.lines[-1] == "written: air/forecast.csv, air/forecast.png"
    rows = written(folder / "air/forecast.csv")
    assert list(rows[0]) == ["unique_id", "ds", "forecast", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert [row["ds"] for row in rows] == [f"1961-0{month}-01" for month in range(1, 7)]
    for row in rows:
        ordered = [float(row[name]) for name in ("lo-95", "lo-80", "forecast", "hi-80", "hi-95")]
        assert ordered == sorted(ordered)
        assert 200 < ordered[2] < 900
    assert (folder / "air/forecast.png").read_bytes().startswith(b"\x89PNG")


def test_the_bands_to_show_are_chosen_among_those_learned(gatework: Command, folder: Path) -> None:
    done = good(gatework("forecast", "air", "--levels", "60,80", "--out", "f.csv", "--picture", "f.svg"))
    assert done.lines[0].split() == ["ds", "forecast", "lo-60", "hi-60", "lo-80", "hi-80"]
    assert (folder / "f.svg").read_bytes().startswith(b"<?xml")
    assert len(written(folder / "f.csv")) == 6


def test_without_matplotlib_the_extra_is_named(
    gatework: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "find_spec", {}.get)
    done = good(gatework("forecast", "air", "--out", "f.csv"))
    assert done.lines[-2:] == [
        "written: f.csv",
        "no picture, as matplotlib is not installed: pip install 'gatework[plot]'",
    ]
    assert not (folder / "f.png").exists()


def test_a_run_goes_on_with_new_rows_and_stays_as_it_is(gatework: Command, folder: Path) -> None:
    before = tree(folder / "air")
    done = good(gatework("forecast", "air", "later.csv", "--out", "f.csv"))
    assert done.lines[0] == "2 new steps, up to 1961-02: the run goes on from its state"
    assert written(folder / "f.csv")[0]["ds"] == "1961-03-01"
    assert tree(folder / "air") == before


def test_rows_that_are_known_already_change_nothing(gatework: Command, folder: Path) -> None:
    good(gatework("forecast", "air", "--out", "f.csv"))
    done = good(gatework("forecast", "air", "air.csv", "--out", "g.csv"))
    assert done.lines[0] == "no new values after 1960-12: the forecast starts there"
    assert (folder / "g.csv").read_bytes() == (folder / "f.csv").read_bytes()


def test_rows_without_times_are_all_new(gatework: Command, folder: Path) -> None:
    (folder / "count.csv").write_text("y\n" + "".join(f"{i % 7 + i / 9:.2f}\n" for i in range(60)))
    (folder / "more.csv").write_text("y\n6\n7\n8\n")
    good(gatework("train", "series", "count.csv", "--horizon", 2, "--out", "new", *SMALL.split()))
    done = good(gatework("forecast", "new", "more.csv"))
    assert done.lines[0] == "3 new steps, up to 63: the run goes on from its state"
    assert [row["ds"] for row in written(folder / "new/forecast.csv")] == ["64", "65"]


def test_columns_known_in_the_future_come_with_a_file(gatework: Command, folder: Path) -> None:
    done = good(gatework("forecast", "shop", "future.csv", "--out", "f.csv"))
    assert done.lines[1].split()[0] == "unique_id"
    assert [(row["unique_id"], row["ds"]) for row in written(folder / "f.csv")] == [
        ("a", "61"),
        ("a", "62"),
        ("b", "61"),
        ("b", "62"),
    ]


@pytest.mark.parametrize("command", ["forecast air", f"train series air.csv --horizon 6 --out new {SMALL}"])
def test_what_a_run_says_is_the_same_each_time(gatework: Command, folder: Path, command: str) -> None:
    first = good(gatework(*command.split()))
    assert good(gatework(*command.split(), *(["--overwrite"] if "train" in command else []))).out == first.out


def test_a_table_comes_from_standard_input(gatework: Command, folder: Path) -> None:
    text = AIR.read_bytes()
    done = good(gatework("train", "series", "-", "--horizon", 3, "--out", "new", *SMALL.split(), stdin=text))
    assert done.lines[0].startswith("1 series of 144 values")


def test_columns_of_other_names(gatework: Command, folder: Path) -> None:
    (folder / "own.csv").write_text(AIR.read_text().replace("ds,y", "month;sales").replace(",", ";"))
    command = f"train series own.csv --target sales --horizon 3 --out new {SMALL}"
    assert "column 'month' holds the times" in good(gatework(*command.split())).out
    good(gatework("forecast", "new"))
    assert list(written(folder / "new/forecast.csv")[0])[:3] == ["unique_id", "month", "forecast"]


def test_short_and_empty_series_are_named_and_the_others_forecast(gatework: Command, folder: Path) -> None:
    command = f"train series odd_panel.csv --horizon 2 --out new {SMALL}"
    done = good(gatework(*command.split()))
    assert "1 of 4 series ('empty') has no value of y: not forecast until one comes" in done.lines
    said = "1 of 4 series ('short') is too short to learn from: forecast by last value"
    assert said in done.lines
    done = good(gatework("forecast", "new"))
    assert said in done.lines
    rows = written(folder / "new/forecast.csv")
    assert [(row["unique_id"], row["ds"]) for row in rows][-2:] == [("short", "60"), ("short", "61")]
    assert {row["unique_id"] for row in rows} == {"a", "b", "short"}
    done = good(gatework(*f"backtest odd_panel.csv --horizon 2 --windows 1 --naive-only {SMALL}".split()))
    assert any(line.startswith("1 of 3 series ('short') is left out, with fewer than the 12") for line in done.lines)


def test_what_takes_its_time_says_how_far_it_is_and_what_it_cost(
    gatework: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_lines, "WORTH_SAYING", -1.0)
    monkeypatch.setattr(progress, "PLAIN_EVERY", -1.0)
    done = gatework("train", "series", "odd_panel.csv", "--horizon", 2, "--out", "new", *SMALL.split())
    assert done.status == 0
    for line in ("planning: 0 of 2", "planning: 2 of 2", "preparing: 1 of 2", "training: 4 of 4"):
        assert line in done.err.splitlines()
    assert re.search(r"^planning: 2 in 0:0\d, [\d.,]+ ms each$", done.err, re.MULTILINE)


def test_a_backtest_stands_beside_seasonal_naive(gatework: Command, folder: Path) -> None:
    done = good(gatework("backtest", "air.csv", "--horizon", 6, "--windows", 2, "--naive-only", *SMALL.split()))
    assert done.lines[0].startswith("1 series of 144 values")
    table = done.lines[-3:]
    assert table[0].split()[:2] == ["MASE", "/"]
    assert table[1].startswith("lstm ")
    assert table[2].startswith("seasonal naive ")
    assert "1.000" in table[2]


def test_a_backtest_asks_for_every_model_there_is(
    gatework: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"seasonal naive": forecast_rivals.seasonal_naive, "AutoNone": forecast_rivals.seasonal_naive}
    monkeypatch.setattr(forecast_backtest, "rivals", lambda: there)
    done = good(gatework("backtest", "air.csv", "--horizon", 6, "--windows", 1, *SMALL.split()))
    assert [line.split()[0] for line in done.lines[-3:]] == ["lstm", "seasonal", "AutoNone"]


@pytest.mark.parametrize("command", ["train series", "forecast", "backtest"])
def test_help_says_how_and_fits_a_terminal(gatework: Command, command: str) -> None:
    done = gatework(*command.split(), "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: gatework {command}")
    assert all(len(line) <= 80 for line in done.lines)


def test_ctrl_c_leaves_nothing_behind(gatework: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = tree(folder)
    monkeypatch.setattr("gatework.forecast.training.fit", interrupted)
    done = gatework("train", "series", "air.csv", "--horizon", 6, "--out", "new", *SMALL.split())
    assert (done.status, done.err) == (130, "gatework: interrupted\n")
    assert tree(folder) == before


def test_a_run_folder_that_is_deleted_while_it_trains_ends_in_one_line(
    gatework: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleting(*given: object, **named: object) -> object:
        fitted = fit(*given, **named)
        for made in set(folder.iterdir()) - before:
            shutil.rmtree(made)
        return fitted

    before, files = set(folder.iterdir()), tree(folder)
    fit = training.fit
    monkeypatch.setattr(training, "fit", deleting)
    done = gatework("train", "series", "air.csv", "--horizon", 6, "--out", "new", *SMALL.split())
    assert done.status == 2
    assert re.fullmatch(
        r"gatework: cannot write \S*run.json: No such file or directory; .* unchanged", done.err.splitlines()[-1]
    )
    assert tree(folder) == files


TRAIN = f"--horizon 6 --out new {SMALL}"
REFUSED = {
    f"train series none.csv {TRAIN}": "none.csv does not exist",
    f"train series empty.csv {TRAIN}": "empty.csv is empty",
    f"train series air.csv --target sales {TRAIN}": "no column 'sales': the columns there are 'ds', 'y'",
    f"train series air.csv --time month {TRAIN}": "no column 'month'",
    f"train series air.csv --id shop {TRAIN}": "no column 'shop'",
    f"train series air.csv --known price,size {TRAIN}": "no column 'price'",
    f"train series air.csv --known y {TRAIN}": "the column 'y' is given twice",
    f"train series word.csv {TRAIN}": "word.csv, line 3: y is 'many': expected a number",
    f"train series inf.csv {TRAIN}": "inf.csv, line 3: y is infinite",
    f"train series short.csv {TRAIN}": "3 values of y: a horizon of 6",
    f"train series same.csv {TRAIN}": "constant",
    f"train series air.csv {TRAIN} --horizon 0": "horizon is 0",
    f"train series air.csv {TRAIN} --horizon 200": "a horizon of 200",
    f"train series air.csv {TRAIN} --season often": "--season often: expected its length in steps",
    f"train series air.csv {TRAIN} --season 0": "season is 0",
    f"train series air.csv {TRAIN} --season 100": "a season of 100",
    f"train series air.csv {TRAIN} --season 7,often": "--season 7,often: expected its length in steps",
    f"train series air.csv {TRAIN} --season 12,1": "season holds 1 in [12, 1]; expected its length in steps",
    f"train series air.csv {TRAIN} --season 12,100": "seasons of 12 and 100 needs",
    f"train series air.csv {TRAIN} --levels high": "--levels high: expected percents",
    f"train series air.csv {TRAIN} --levels 120": "levels holds 120",
    f"train series air.csv {TRAIN} --levels 0.8": "levels holds 0.8, less than 1 %; expected percents: 80 for 0.8?",
    f"train series odd_panel.csv {TRAIN} --strict": "the series 'empty' has no value of y",
    f"train series shorts.csv {TRAIN}": "the series 'a' has 2 values of y: a horizon of 6 needs 14 at least",
    "backtest odd_panel.csv --horizon 6 --windows 1 --strict": "the series 'short' has 2 rows",
    f"train series air.csv {TRAIN} --cell lsmt": "unknown cell 'lsmt'",
    f"train series air.csv {TRAIN} --cell gru --equations mine.txt": "--cell gru and --equations mine.txt: give one",
    f"train series air.csv {TRAIN} --equations mine.txt": "cannot read mine.txt",
    f"train series air.csv {TRAIN} --out air": "air exists: overwrite it, or name another one",
    f"train series air.csv {TRAIN} --hidden 0": "hidden is 0",
    f"train series air.csv {TRAIN} --device abacus": "device 'abacus' cannot be used",
    "backtest air.csv --horizon 6 --windows 1 --device abacus": "device 'abacus' cannot be used",
    "train series air.csv --out new": "Missing option '--horizon'",
    "forecast none": "none does not exist",
    "forecast air none.csv": "none.csv does not exist",
    "forecast air --levels 99": "the run has learned bands of 20, 40, 60, 80, 95 %",
    "forecast air --out none/f.csv": "cannot write none/f.csv: none is no directory",
    "forecast air --picture f.docx": "f.docx: expected a picture's name ending in",
    "forecast air later.csv --out later.csv": "later.csv is the file that is read",
    "forecast air odd.csv": "do not follow 1960-12",
    "forecast shop": "price of the series 'a' is missing at 61, step 1",
    "forecast shop near.csv": "price of the series 'a' is missing at 62, step 2",
    "forecast shop later.csv": "no column 'unique_id'",
    "backtest air.csv --horizon 6 --windows 0": "windows is 0",
    "backtest air.csv --horizon 20 --windows 9": "ask for fewer windows",
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_given_wrong_ends_in_one_line(gatework: Command, folder: Path, command: str) -> None:
    before = tree(folder)
    done = gatework(*shlex.split(command))
    assert (done.status, done.err.count("\n")) == (2, 1), done
    assert done.err.startswith("gatework")
    assert REFUSED[command] in done.err
    assert tree(folder) == before


@pytest.mark.parametrize("file", ["run.json", "best.safetensors"])
def test_a_damaged_run_is_named(gatework: Command, folder: Path, file: str) -> None:
    (folder / "air" / file).write_bytes(b"damaged")
    done = gatework("forecast", "air")
    assert (done.status, done.err.count("\n")) == (2, 1), done
    assert file in done.err


def test_an_unknown_series_is_named(gatework: Command, folder: Path) -> None:
    (folder / "c.csv").write_text("unique_id,ds,y,price\nc,61,1,1\n")
    done = gatework("forecast", "shop", "c.csv")
    assert done.status == 2
    assert "the series 'c' was not among the 2 that were learned ('a', 'b')" in done.err
