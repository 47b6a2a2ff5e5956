"""A forecaster without torch: forecasts are those with it, of a folder or one file; what is damaged is named."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_toys import panel, quick, seasonal, table

import gatework as gw
from gatework.errors import InputError
from gatework.files.tensors import read_tensors
from gatework.runtime import ForecastSession, LabelSession, Model, Session
from gatework.runtime.model import DIGEST, with_digest

CLOSE = 1e-5  # of what a forecast's quantiles span, by torch and without
BLOCK = "import sys; sys.modules.update(torch=None, safetensors=None);"  # as where they are not installed


def beside(first: int, last: int) -> pd.DataFrame:
    """Steps of two series with columns of each kind, one of them with swings that grow."""
    t = np.arange(first, last)
    y = {"a": seasonal(140)[first:last], "b": np.exp(seasonal(140, seed=1)[first:last] / 8)}
    columns = {"price": np.sin(t / 3), "rain": np.cos(t)}
    dates = pd.date_range("2010-01-01", periods=140, freq="MS")[first:last]
    return pd.concat(
        [pd.DataFrame({"ds": dates, "y": y[id], **columns, "kind": id, "unique_id": id}) for id in ("a", "b")]
    )


def ahead() -> pd.DataFrame:
    """Rows that came since, and the future of what is known."""
    rows = beside(96, 109)
    rows.loc[rows["ds"] >= "2018-08-01", ["y", "rain"]] = np.nan
    return rows


KINDS: dict[str, tuple[dict[str, Any], Callable[[], Any], Callable[[], Any]]] = {
    "beside": (
        {"known": ("price",), "past": ("rain",), "static": ("kind",), "levels": (80, 90)},
        lambda: beside(0, 96),
        ahead,
    ),
    "tied": ({"cell": "sru"}, lambda: table(seasonal(96)), lambda: table(seasonal(110))[96:]),
    "slstm": ({"cell": "slstm", "members": 1}, lambda: table(seasonal(96)), lambda: None),
    "counted": ({}, lambda: seasonal(96), lambda: seasonal(8, seed=1)),
    "naive": (
        {"cell": "gru"},
        lambda: panel(long=seasonal(96), short=seasonal(9), same=np.full(40, 3.0)),
        lambda: panel(long=seasonal(100), short=seasonal(12), same=np.full(44, 3.0)),
    ),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, gw.Forecaster]:
    """Forecasters whose networks count wholly."""
    made = {}
    for kind, (options, df, _) in KINDS.items():
        forecaster = quick(**{"steps": 20, **options}).fit(df())
        forecaster.model = replace(forecaster.fitted, fitted=replace(forecaster.fitted.fitted, trust=1.0))
        made[kind] = forecaster
    return made


@pytest.fixture(scope="module")
def runs(fitted: dict[str, gw.Forecaster], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for kind, forecaster in fitted.items():
        forecaster.save(folder / kind)
        Model.open(folder / kind).save(folder / f"{kind}.gw")
    return {kind: folder / kind for kind in fitted}


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_those_with_torch(fitted: dict[str, gw.Forecaster], runs: dict[str, Path], kind: str) -> None:
    rows = KINDS[kind][2]()
    expected = fitted[kind].forecasts(rows)
    for session in (ForecastSession(runs[kind]), ForecastSession(runs[kind].with_suffix(".gw"), threads=2)):
        found = session.forecasts(rows)
        for one, other in zip(found, expected, strict=True):
            assert one.id == other.id
            assert np.array_equal(one.times, other.times)
            np.testing.assert_allclose(one.quantiles, other.quantiles, rtol=0, atol=CLOSE * np.ptp(other.quantiles))
        assert session.forecaster.notes == fitted[kind].notes
        assert session.forecaster.plans == fitted[kind].plans
        frame = session.forecast(rows)
        assert list(frame.columns) == list(fitted[kind].predict(rows).columns)
        np.testing.assert_array_equal(frame["forecast"], np.concatenate([each.median for each in found]))


def test_the_networks_have_a_say(runs: dict[str, Path]) -> None:
    model = Model.open(runs["beside"])
    for name in ("weight", "offset", "known", "mixed", "recurrent.l0.W_i"):
        other = replace(model, weights={**model.weights, name: model.weights[name] + np.float32(0.5)})
        before, after = (ForecastSession(each).forecasts(ahead()) for each in (model, other))
        assert not any(np.allclose(one.quantiles, two.quantiles) for one, two in zip(before, after, strict=True)), name


def test_a_session_runs_the_networks_alone(fitted: dict[str, gw.Forecaster], runs: dict[str, Path]) -> None:
    model = fitted["beside"].fitted
    inputs = [model.prepared(each, model.panel.spacing, 6) for each in model.panel.series]
    x = np.stack([each.x for each in inputs], 1)
    known = np.stack([each.ahead[-1, :, 9:] for each in inputs])
    session = Session(runs["beside"].with_suffix(".gw"))
    quantiles, state = session.run(x, known=known)
    assert quantiles.shape == (2, 6, 11)
    for number, each in enumerate(inputs):
        output = model.states[0][-1, number].reshape(model.fitted.network.members, -1)
        expected = model.fitted.network.ahead(output, each.ahead[-1, :, 9:].astype(np.float32))
        np.testing.assert_allclose(quantiles[number], expected, rtol=1e-5, atol=1e-5)
    for name, part in zip(state, model.states, strict=True):
        np.testing.assert_allclose(state[name], part, rtol=1e-5, atol=1e-5)
    lengths = [len(x), len(x) - 5]
    shorter, _ = session.run(x, known=known, lengths=lengths)
    np.testing.assert_allclose(shorter[0], quantiles[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shorter[1], session.run(x[:-5], known=known)[0][1], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="beside x the network was given nothing; expected known"):
        session.run(x)
    with pytest.raises(InputError, match="known has 1 sequences, and x 2"):
        session.run(x, known=known[:1])


def test_forks_forecast_by_themselves(runs: dict[str, Path]) -> None:
    session = ForecastSession(runs["tied"])
    other, notes = session.fork(), session.forecaster.notes
    revised = table(np.r_[seasonal(95), 0.0])
    other.forecasts(revised)
    assert any("given anew" in note for note in other.forecaster.notes)
    assert session.forecaster.notes == notes
    np.testing.assert_array_equal(session.forecasts()[0].quantiles, other.forecasts()[0].quantiles)


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_narrow_weights_move_a_forecast_little(runs: dict[str, Path], weights: str) -> None:
    (wide,), (narrow,) = (ForecastSession(runs["counted"], weights=each).forecasts() for each in ("float32", weights))
    np.testing.assert_allclose(narrow.quantiles, wide.quantiles, rtol=0, atol=0.02 * np.ptp(wide.quantiles))


# -- the command


@pytest.mark.parametrize("kind", ["beside", "counted"])
def test_the_command_needs_no_torch(runs: dict[str, Path], tmp_path: Path, kind: str) -> None:
    rows = KINDS[kind][2]()
    rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame({"y": rows})
    rows.to_csv(tmp_path / "new.csv", index=False)
    printed, written = [], []
    for number, run in enumerate((runs[kind], runs[kind].with_suffix(".gw"))):
        out = tmp_path / f"{number}.csv"
        done = command("forecast", run, tmp_path / "new.csv", "--out", out)
        assert (done.returncode, done.stderr) == (0, "")
        printed.append([line for line in done.stdout.splitlines() if not line.startswith("written: ")])
        written.append(pd.read_csv(out))
    assert printed[0] == printed[1]
    expected = gw.load(runs[kind]).predict(rows)
    np.testing.assert_allclose(written[0]["forecast"], expected["forecast"], rtol=1e-5)
    pd.testing.assert_frame_equal(*written)


def test_the_command_writes_beside_a_file(runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "model.gw"
    assert command("export", runs["counted"], "--out", file).stdout.startswith(f"{file}: 0.0 MB, ")
    done = command("forecast", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "forecast.csv").exists()


def test_learning_without_torch_names_the_remedy(runs: dict[str, Path]) -> None:
    code = (
        f"{BLOCK} from gatework.runtime import ForecastSession\n"
        f"made = ForecastSession({str(runs['counted'])!r}).forecaster\n"
        "made.forecasts()\ntry: made.fit([{'y': k % 7} for k in range(90)])\nexcept ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "this needs torch, which is not installed: pip install 'gatework[train]'\n"


def command(*words: object) -> subprocess.CompletedProcess[str]:
    arguments = ["gatework", *map(str, words)]
    code = f"{BLOCK} sys.argv = {arguments!r}; from gatework.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


# -- what is not as it should be


def test_another_task_is_named(runs: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="is of task 'series'; expected 'labels', a model of labels"):
        LabelSession(runs["counted"])


def test_what_runs_without_torch_cannot_be_saved_as_a_run(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run without torch, and only forecast: gw\.load"):
        ForecastSession(runs["counted"]).forecaster.save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_damaged_files_are_named_or_forecast(runs: dict[str, Path], tmp_path: Path) -> None:
    content, file, drawn = runs["beside"].with_suffix(".gw").read_bytes(), tmp_path / "model.gw", random.Random(1)
    tensors, rows, refused = read_tensors(runs["beside"].with_suffix(".gw")), ahead(), 0
    texts = {name: text for name, text in tensors.metadata.items() if name != DIGEST}
    places = list(within(json.loads(texts["about"])))
    for number in range(300):
        damaged = file.with_name(f"{number}.gw")
        if number % 2:
            about = changed(json.loads(texts["about"]), drawn.choice(places), drawn.choice(VALUES))
            damaged.write_bytes(with_digest(tensors.arrays, {**texts, "about": json.dumps(about)}))
        else:
            damaged.write_bytes(flipped(content, drawn))
        try:
            ForecastSession(damaged).forecasts(rows)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
        damaged.unlink()
    assert refused > 150


VALUES = [None, 7, -1, 0, 10**12, 1e300, -0.5, "x", "", [], {}, True, [1], {"a": 1}]


def within(values: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value of JSON stands."""
    yield place
    keys = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for key in keys:
        yield from within(values[key], (*place, key))


def changed(values: Any, place: tuple[Any, ...], value: Any) -> Any:
    """JSON with another value at a place."""
    if not place:
        return values
    at = values
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return values


def flipped(content: bytes, drawn: random.Random) -> bytes:
    """A file with some bytes changed, half of them in its header."""
    made, head = bytearray(content), 8 + int.from_bytes(content[:8], "little")
    for _ in range(drawn.choice((1, 1, 3, 20))):
        made[drawn.randrange(drawn.choice((head, len(content))))] = drawn.randrange(256)
    return bytes(made)


def test_a_network_that_is_not_that_of_its_options_is_refused(runs: dict[str, Path]) -> None:
    one, other = (Model.open(runs[kind]) for kind in ("tied", "slstm"))
    with pytest.raises(InputError, match=r"is damaged.*its network is not that of its options"):
        ForecastSession(replace(one, network=other.network, weights=other.weights))


def test_a_history_that_is_not_there_is_named(runs: dict[str, Path]) -> None:
    model = Model.open(runs["tied"])
    for name in model.data:
        less = {other: array for other, array in model.data.items() if other != name}
        with pytest.raises(InputError, match=r"lacks|is missing"):
            ForecastSession(replace(model, data=less))


def test_the_command_says_how_far_off_a_forecast_was(
    fitted: dict[str, gw.Forecaster], runs: dict[str, Path], tmp_path: Path
) -> None:
    rows = table(seasonal(102))[96:]
    rows.to_csv(tmp_path / "since.csv", index=False)
    expected = -fitted["slstm"].score(rows)
    for run in (runs["slstm"], runs["slstm"].with_suffix(".gw")):
        done = command("score", run, tmp_path / "since.csv")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"MASE {expected:.3f}: the mean absolute error of the next 6 steps over")
    refused = command("score", run, tmp_path / "since.csv", "--adapt")
    assert refused.returncode == 2
    assert refused.stderr.endswith("is a run of series, for which there is no such option; leave it out\n")
