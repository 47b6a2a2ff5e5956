"""A Forecaster on disk: the same forecasts come back, nothing half-written stays, damage is named."""

import json

import numpy as np
import pandas as pd
import pytest
from forecast_toys import panel, quick, seasonal, table

import gatework as gw
from gatework import InputError


@pytest.fixture(scope="module")
def fitted():
    return quick(known=("price",), static=("kind",)).fit(
        pd.concat([table(seasonal(), price=1.0, kind=name).assign(unique_id=name) for name in ("a", "b")])
    )


@pytest.fixture
def run(fitted, tmp_path):
    fitted.save(tmp_path / "run")
    return tmp_path / "run"


def future(T: int, steps: int) -> pd.DataFrame:
    dates = pd.date_range("2010-01-01", periods=T + steps, freq="MS")[T:]
    return pd.concat(
        [pd.DataFrame({"ds": dates, "price": 1.0, "kind": name, "unique_id": name}) for name in ("a", "b")]
    )


def test_what_is_loaded_forecasts_the_same(fitted, run):
    ahead = future(96, 6)
    pd.testing.assert_frame_equal(gw.Forecaster.load(run).predict(ahead), fitted.predict(ahead))


def test_what_is_loaded_knows_what_was_chosen(fitted, run):
    loaded = gw.Forecaster.load(run)
    assert loaded.notes == fitted.notes
    assert loaded.plans == fitted.plans


def test_dates_and_rows_counted_come_back(tmp_path):
    y = seasonal()
    counted = quick().fit(pd.DataFrame({"y": y}))
    counted.save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run").predict()
    assert loaded["ds"].tolist() == list(range(97, 103))
    assert np.array_equal(loaded["forecast"], counted.predict()["forecast"])


def test_a_run_that_is_there_is_replaced_only_if_asked(fitted, run):
    with pytest.raises(InputError, match="exists"):
        fitted.save(run)
    fitted.save(run, overwrite=True)


def test_nothing_is_written_before_something_is_learned(tmp_path):
    with pytest.raises(InputError, match="learned nothing yet"):
        quick().save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_truncated_file_of_weights_is_named(run):
    path = run / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"best\.safetensors is damaged"):
        gw.Forecaster.load(run)


@pytest.mark.parametrize("name", ["horizon", "series", "beside", "options", "network", "columns", "scores"])
@pytest.mark.parametrize("value", [None, 7, {}, "gone"], ids=["null", "number", "empty", "gone"])
def test_a_damaged_description_is_named(run, name, value):
    path = run / "run.json"
    values = json.loads(path.read_text())
    values[name] = value
    if value == "gone":
        del values[name]
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=r"run\.json|best\.safetensors|horizon") as caught:
        gw.Forecaster.load(run)
    assert "\n" not in str(caught.value)


def test_a_run_of_another_task_is_refused(run):
    path = run / "run.json"
    path.write_text(path.read_text().replace('"task": "series"', '"task": "language"'))
    with pytest.raises(InputError, match="is a run of task 'language'; expected 'series'"):
        gw.Forecaster.load(run)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        gw.Forecaster.load(tmp_path / "none")


def test_new_rows_go_on_from_the_state_on_disk(tmp_path):
    y = {"a": seasonal(100), "b": seasonal(100, seed=1)}
    kept = quick().fit(panel(**{name: values[:96] for name, values in y.items()}))
    kept.save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run")
    pd.testing.assert_frame_equal(loaded.predict(panel(**y)), kept.predict(panel(**y)))
