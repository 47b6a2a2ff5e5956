"""Arguments of numpy's types, single names, and what is neither."""

from fractions import Fraction

import numpy as np
import pytest
from forecast_toys import quick, seasonal, table

import gatework as gw
from gatework import InputError
from gatework.runs.arguments import names, whole

WHOLE = ("horizon", "season", "members", "hidden", "steps", "seed")


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16, np.array])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_of_numpy_are_whole_numbers(name, kind):
    made = gw.Forecaster(**{"horizon": 3, name: kind(3)})
    expected = gw.Forecaster(**{"horizon": 3, name: 3})
    assert (made.horizon, made.season, made.options) == (expected.horizon, expected.season, expected.options)


@pytest.mark.parametrize("given", [True, np.True_, 3.0, np.float64(3), "3", None, 2.5, -1, [3], Fraction(3)])
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_whole_number_is_refused(name, given):
    if name == "season" and given == [3]:
        return  # several seasons may be one
    with pytest.raises(InputError, match=rf"^{name} is .*; expected (a whole number|its length)"):
        gw.Forecaster(**{"horizon": 3, name: given})


def test_seasons_are_one_or_several_each_once_from_the_shortest():
    for given in ([168, 24, 24], (24, np.int64(168)), np.array([168, 24])):
        assert gw.Forecaster(3, season=given).season == (24, 168)
    assert gw.Forecaster(3, season=[12]).season == 12
    for wrong in ([], "24,168", {}):
        with pytest.raises(InputError, match=r"^season is .*several such as \[24, 168\]"):
            gw.Forecaster(3, season=wrong)
    for wrong in ([24, 1], [24, 0.5], [24, "168"]):
        with pytest.raises(InputError, match=r"^season holds .* in \[24, .*several such as \[24, 168\]"):
            gw.Forecaster(3, season=wrong)


@pytest.mark.parametrize("name", ["dropout", "learning_rate"])
def test_numbers_of_numpy_are_numbers(name):
    made = gw.Forecaster(3, **{name: np.float32(0.25)}).options
    assert getattr(made, name) == 0.25
    assert type(getattr(made, name)) is float
    for wrong in ("0.1", None, np.nan, np.inf, -1, True, [0.1]):
        with pytest.raises(InputError, match=f"^{name} is "):
            gw.Forecaster(3, **{name: wrong})


@pytest.mark.parametrize(
    ("given", "levels"),
    [
        (80, (80,)),
        (80.5, (80.5,)),
        (np.int64(80), (80,)),
        (np.array([95, 80]), (80, 95)),
        ([np.float32(80), 80, 95.0], (80, 95)),
        ((), ()),
        (range(80, 100, 10), (80, 90)),
        (99.9, (99.9,)),
    ],
)
def test_levels_are_one_percentage_or_several(given, levels):
    assert gw.Forecaster(3, levels=given).levels == levels


@pytest.mark.parametrize("given", [0.8, (0.8,), np.float64(0.95), (80, 0.95)])
def test_a_level_that_is_a_fraction_is_refused_with_the_percent_that_was_meant(given):
    with pytest.raises(InputError, match=r"levels holds .*0\.(8|95)\)?, less than 1 %; expected percents: (80|95) for"):
        gw.Forecaster(3, levels=given)


@pytest.mark.parametrize(
    "given", [100, 0, -5, 99.99999, "80", ("80",), None, True, (80, None), np.nan, [[80]], object()]
)
def test_other_levels_are_refused(given):
    with pytest.raises(InputError, match=r"^levels holds .*; expected percents between 0 and 100"):
        gw.Forecaster(3, levels=given)


@pytest.mark.parametrize("name", ["known", "past", "static"])
@pytest.mark.parametrize("given", ["price", ["price"], ("price",), np.array(["price"]), {"price": 1}])
def test_a_single_text_is_one_name(name, given):
    assert getattr(gw.Forecaster(3, **{name: given}).columns, name) == ("price",)
    assert getattr(gw.Forecaster(3, **{name: None}).columns, name) == ()


@pytest.mark.parametrize("given", [3, [3], [None], b"price", ["price", ("a",)]])
@pytest.mark.parametrize("name", ["known", "past", "static"])
def test_what_is_no_name_is_refused(name, given):
    with pytest.raises(InputError, match=f"^{name} is .*; expected the name of a column, or several"):
        gw.Forecaster(3, **{name: given})


@pytest.mark.parametrize("name", ["target", "time", "id"])
@pytest.mark.parametrize("given", [3, ["y"], b"y"])
def test_one_name_is_a_text(name, given):
    with pytest.raises(InputError, match=f"^{name} is .*; expected the name of one column"):
        gw.Forecaster(3, **{name: given})


def test_a_target_there_must_be():
    with pytest.raises(InputError, match=r"target is None; expected the name of one column$"):
        gw.Forecaster(3, target=None)


def test_windows_of_numpy():
    assert len(quick(6).backtest(table(seasonal()), np.int64(1)))
    for wrong in (0, 1.0, True, "1"):
        with pytest.raises(InputError, match=r"windows is .*; expected a whole number of at least 1"):
            quick(6).backtest(table(seasonal()), wrong)


def test_a_quantile_that_was_not_learned_is_named():
    (made,) = quick(3, levels=80).fit(table(seasonal())).forecasts()
    assert made.at(np.float64(0.1)) is not None
    with pytest.raises(InputError, match=r"the quantile 0\.025 was not learned; there are 0\.1, 0\.2"):
        made.band(95)


def test_one_line_of_each():
    assert whole("n", np.int32(4), least=4) == 4
    assert names("known", iter(["a", "b"])) == ("a", "b")
