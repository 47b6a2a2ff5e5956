"""scikit-learn's conventions of arguments, held by the tools of scikit-learn itself."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from forecast_toys import quick, seasonal, table
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks as checks
from sklearn.utils.validation import check_is_fitted

import gatework as gw
from gatework import InputError
from gatework.forecast.metrics import mase

MADE = {
    "Forecaster": lambda: gw.Forecaster(6),
    "Forecaster with all": lambda: gw.Forecaster(
        np.int64(6), "gru", levels=[80, 95], known=["price"], season=12, seed=3
    ),
    "SequenceClassifier": gw.SequenceClassifier,
    "SequenceRegressor": lambda: gw.SequenceRegressor(hidden=np.int64(8), recurrent={"zoneout": {"h": 0.1}}),
    "Tagger": lambda: gw.Tagger(class_weight={"a": 2.0}),
}
CHECKS = (
    checks.check_get_params_invariance,
    checks.check_set_params,
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
    checks.check_estimator_tags_renamed,
    checks.check_valid_tag_types,
)


@pytest.mark.filterwarnings("ignore:InputError occurred during set_params")  # a Forecaster refuses at once
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MADE)
def test_the_conventions_of_scikit_learn(name, check):
    check(name, MADE[name]())


@pytest.mark.parametrize("name", MADE)
def test_a_clone_has_the_very_arguments_and_nothing_learned(name):
    made = MADE[name]()
    other = clone(made)
    assert type(other) is type(made)
    assert repr(other) == repr(made)
    assert other.get_params().keys() == made.get_params().keys()


@pytest.mark.parametrize("name", MADE)
def test_unknown_arguments_are_refused_and_change_nothing(name):
    made = MADE[name]()
    before = repr(made)
    with pytest.raises(InputError, match="has no argument 'hiden'; there are "):
        made.set_params(hidden=3, hiden=4)
    assert repr(made) == before


def test_what_is_shown_is_what_was_given_and_makes_the_same_again():
    made = gw.Forecaster(6, "gru", levels=(60, 80), known="price")
    assert repr(made) == "Forecaster(horizon=6, cell='gru', levels=(60, 80), known='price')"
    assert eval(repr(made), {"Forecaster": gw.Forecaster}).get_params() == made.get_params()


def test_arguments_that_are_set_count_from_then_on():
    made = quick(6).fit(table(seasonal()))
    assert made.set_params(horizon=3, levels=95, known="price") is made
    assert (made.horizon, made.levels, made.columns.known) == (3, (95,), ("price",))
    with pytest.raises(InputError, match="learned nothing yet"):
        made.predict()
    with pytest.raises(InputError, match="season is 0"):
        made.set_params(horizon=9, season=0)
    assert (made.horizon, made.get_params()["season"]) == (3, "auto")


def test_a_loaded_forecaster_has_the_arguments_that_it_was_made_with(tmp_path):
    made = quick(6, cell="gru", levels=(80, 95), season=12, learning_rate=0.02, dropout=0.1)
    made.fit(table(seasonal())).save(tmp_path / "run")
    loaded = gw.Forecaster.load(tmp_path / "run")
    assert {**loaded.get_params(), "report": None, "id": None} == {**made.get_params(), "report": None, "id": None}
    assert np.array_equal(clone(loaded).fit(table(seasonal())).forecasts()[0].median, made.forecasts()[0].median)


def test_the_score_is_minus_the_error_of_what_comes_after():
    y = seasonal(102)
    made = quick(6).fit(table(y[:96]))
    expected = mase(y[96:], made.forecasts()[0].median, y[:96], made.plans["y"].season)
    assert made.score(table(y)) == pytest.approx(-expected)
    assert made.score(table(y).iloc[96:]) == pytest.approx(-expected)
    assert made.score(table(y).iloc[96:98]) == pytest.approx(
        -mase(y[96:98], made.forecasts()[0].median[:2], y[:96], made.plans["y"].season)
    )
    with pytest.raises(InputError, match="there is no value to score by after those of fit: give rows with y"):
        made.score(table(y[:96]))


def test_a_score_reads_what_is_known_of_the_steps_it_is_scored_on():
    price = np.random.default_rng(0).integers(0, 2, 132).astype(float)
    y = 20 + 8 * price + 0.1 * seasonal(132)
    made = quick(6, known="price").fit(table(y[:120], price=price[:120]))
    assert made.score(table(y, price=price)) > -0.6


def test_a_grid_is_searched_over_windows_of_time():
    data = table(seasonal(100))
    found = GridSearchCV(quick(6), {"hidden": [2, 4], "cell": ["gru"]}, cv=TimeSeriesSplit(2, test_size=6)).fit(data)
    assert set(found.best_params_) == {"hidden", "cell"}
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert isinstance(found.predict(None), pd.DataFrame)
    assert len(cross_val_score(quick(6), data, cv=TimeSeriesSplit(2, test_size=6))) == 2
    pipeline = Pipeline([("forecast", quick(6))])
    assert len(pipeline.fit(data).predict(None)) == 6


def test_a_target_beside_the_table_is_refused():
    with pytest.raises(InputError, match="fit was given y; expected the target as the column 'y' of the table"):
        quick(6).fit(table(seasonal()), seasonal())


@pytest.mark.parametrize("name", ["SequenceClassifier", "SequenceRegressor", "Tagger"])
def test_what_is_not_fitted_is_so_for_scikit_learn(name):
    with pytest.raises(NotFittedError):
        check_is_fitted(MADE[name]())


def test_scikit_learn_is_not_needed_to_import_or_to_fit():
    code = (
        "import sys; sys.modules['sklearn'] = None; import gatework as gw; f = gw.Forecaster(3); f.set_params(hidden=2)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
