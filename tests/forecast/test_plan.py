"""Planning of many series at once: as each alone, however long they are, and told as it goes on."""

import numpy as np
import pytest
from forecast_toys import panel, quick, seasonal, table

from gatework import InputError
from gatework.forecast import linear as forecast_linear
from gatework.forecast import plan as forecast_plan
from gatework.forecast.base import Base
from gatework.forecast.data.series import read_panel
from gatework.forecast.inputs import Beside, prepare
from gatework.forecast.linear import CUTS, cut, designs, judged, moments
from gatework.forecast.plan import plan, plans
from gatework.forecast.smoothing import smoothings


def several() -> list[np.ndarray]:
    """Series of three lengths: seasonal, growing, noise, counts, a walk, with holes."""
    random = np.random.default_rng(5)
    made = [seasonal(96), seasonal(60, seed=1), random.normal(size=96), random.poisson(0.4, 96).astype(float)]
    made += [np.cumsum(random.normal(size=60)), np.exp(3 + 0.02 * np.arange(132) + 0.1 * random.normal(size=132))]
    holed = seasonal(96, seed=2)
    holed[[5, 40, 41]] = np.nan
    return [*made, holed, np.tile([1.0, 5.0, 2.0, 8.0], 24)]


@pytest.mark.parametrize("season", ["auto", 1, 12])
@pytest.mark.parametrize("together", [1, 10_000_000])
def test_many_series_are_planned_as_each_alone(season, together, monkeypatch):
    monkeypatch.setattr(forecast_plan, "TOGETHER", together)
    for made, y in zip(plans(several(), 6, season, (12,)), several(), strict=True):
        alone = plan(y, 6, season, (12,))
        assert (made.base, made.others, made.season, made.second) == (
            alone.base,
            alone.others,
            alone.season,
            alone.second,
        )
        assert (made.log, made.floor) == (alone.log, alone.floor)
        assert made.scores == pytest.approx(alone.scores)


def test_the_scores_of_a_plan_are_errors_over_those_of_seasonal_naive():
    y = seasonal(96)
    made = plan(y, 3, 12)
    begin = 12 + 6  # the first origin that a season of 12 can be judged at

    def error(base: Base) -> float:
        f = base.forecasts(y, 3)
        made = [(t, k) for t in range(begin, 96) for k in (1, 2, 3) if t + k < 96]
        counts = [t + 1 for t, _ in made]  # an error counts as much as its origin has values behind it
        return float(np.average([abs(y[t + k] - f[t, k - 1]) for t, k in made], weights=counts))

    naive = error(Base("seasonal naive", 12))
    assert made.scores["seasonal naive, season 12"] == pytest.approx(1.0)
    for base in (Base("mean"), Base("last value"), Base("drift"), *made.base):
        assert made.scores[str(base)] == pytest.approx(error(base) / naive)
    best = min(score for name, score in made.scores.items() if "average" not in name)
    assert made.scores[str(made.base[0])] == pytest.approx(best)


@pytest.mark.parametrize("lengths", [(), (12,), (3, 12)])
def test_numbers_and_arrays_are_smoothed_alike(lengths):
    z = np.stack([seasonal(40), seasonal(40, seed=3)])
    weights = [(0.3, 0.1, 0.2, 0.9), (0.7, 0.0, 0.6)]
    both = smoothings(z, 3, lengths, weights)
    for row in range(2):
        for choice in range(2):
            alone = smoothings(z[row], 3, lengths, [weights[choice]])
            np.testing.assert_allclose(both.of(row)[choice], alone[0], rtol=1e-12)


def test_two_seasons_at_once_are_smoothed_each_without_the_other():
    t = np.arange(24 * 7 * 5)
    day, week = 3 * np.sin(2 * np.pi * t / 24), np.where(t // 24 % 7 >= 5, -4.0, 0.0)
    f = Base("smoothing", 24, (0.05, 0.0, 0.05, 1.0), second=168).forecasts(10 + day + week, 48)
    np.testing.assert_allclose(f[-1], (10 + day + week)[:48], atol=1e-9)
    assert str(Base("smoothing", 24, second=168)) == "smoothing, seasons 24 and 168"


def test_both_seasons_that_are_named_are_the_plans():
    t, random = np.arange(24 * 7 * 5), np.random.default_rng(0)
    days = np.cumsum(random.normal(size=(35, 24)), axis=0).ravel()  # each hour's own level wanders from day to day
    y = 10 + days - 9 * (t // 24 % 7 >= 5) + 0.1 * random.normal(size=len(t))
    made = plan(y, 24, (24, 168))
    assert {made.season, made.second} == {24, 168}
    assert Base("smoothing", 24, made.base[0].weights, 168) == made.base[0]


def test_two_of_a_family_are_not_averaged_nor_a_median_with_others():
    walk = np.cumsum(np.random.default_rng(3).normal(size=120))
    made = plan(walk, 4, 1)
    assert len({each.family for each in made.base}) == len(made.base)
    random = np.random.default_rng(0)
    rare = (random.random(120) < 0.3) * random.poisson(4, 120).astype(float)
    assert [each.kind for each in plan(rare, 4, 1).base] == ["median"]


def test_the_median_of_the_latest_values_forgets_what_was():
    z = np.array([9.0, 9, 9, 9, 0, 1, 0, 5])
    assert Base("median", 1, (3,)).forecasts(z, 1)[:, 0].tolist() == [9, 9, 9, 9, 9, 1, 0, 1]


def test_planning_is_told_from_none_to_all():
    told = []
    plans(several(), 6, 1, (), lambda *counts: told.append(counts))
    assert told[0] == (0, 8)
    assert told[-1] == (8, 8)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_fit_tells_what_it_is_at():
    told: dict[str, list[int]] = {}
    read = read_panel(panel(a=seasonal(), b=seasonal(seed=1), c=seasonal(60)))
    quick().fit_panel(read, on_progress=lambda what, *done: told.setdefault(what, []).append(done[0]))
    assert list(told) == [
        "planning",
        "preparing",
        "fitting the linear part",
        "judging the linear part",
        "judging",
        "running along the series",
    ]
    assert all((done[0], done[-1]) == (0, 3) for done in told.values())


def inputs_of(y: np.ndarray, h: int = 4, lags: int = 3):
    read = read_panel(table(y))
    (series,) = read.series
    return prepare(series, plan(series.y, h, "auto"), h, lags, Beside.of(read), read.spacing)


@pytest.mark.parametrize("together", [1, 10_000_000])
def test_the_moments_of_a_stretch_are_sums_over_the_steps_that_lie_in_it(together, monkeypatch):
    monkeypatch.setattr(forecast_linear, "TOGETHER", together)
    y = np.cumsum(np.random.default_rng(0).normal(size=80))
    y[[30, 31, 60]] = np.nan
    inputs = inputs_of(y)
    squares, products, counts = moments([inputs])
    rows = {s: [] for s in range(len(CUTS))}
    k = 2  # the third step of the horizon
    for origin in range(inputs.warm, len(inputs) - k - 1):
        if not np.isnan(inputs.residual[origin, k]):
            stretch = next(s for s, share in enumerate(CUTS) if origin + k + 1 < cut(inputs, share))
            x = np.concatenate([inputs.common[origin], inputs.ahead[origin, k]])
            rows[stretch].append((x, np.clip(inputs.residual[origin, k], -6, 6)))
    for s, pairs in rows.items():
        x, r = np.array([x for x, _ in pairs]), np.array([r for _, r in pairs])
        np.testing.assert_allclose(squares[s, k], x.T @ x, atol=1e-9)
        np.testing.assert_allclose(products[s, k], x.T @ r, atol=1e-9)
        assert counts[s, k] == len(r)


def test_what_weights_leave_is_the_mean_over_each_stretch_after_the_one_they_were_fitted_before():
    inputs = inputs_of(seasonal(80))
    F = inputs.common.shape[1] + inputs.ahead.shape[2]
    choices = np.random.default_rng(0).normal(size=(len(CUTS), 4, F, 2)) * 0.1
    found = judged([inputs], choices)
    for s in range(1, len(CUTS)):
        left = []
        for _, x, r, there in designs(inputs):
            for k in range(4):
                for target in range(cut(inputs, CUTS[s - 1]), cut(inputs, CUTS[s])):
                    if there[k, target]:
                        left.append(np.abs(r[k, target] - x[k, target] @ choices[s - 1, k]))
        np.testing.assert_allclose(found[s - 1], np.mean(left, 0))


UNLIKE = {  # what never changes where it was learned from, and the note of it
    "a number": (np.where(np.arange(102) < 96, 2.0, 9.0), "price is 2 in all rows that were learned from"),
    "a category": (
        np.where(np.arange(102) < 96, np.where(np.arange(102) % 5, "", "sale"), "fire"),
        "price 'fire' is in no row that was learned from: it counts as none",
    ),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_what_is_new_in_the_future_is_said_and_changes_nothing(case):
    price, note = UNLIKE[case]
    y = np.concatenate([seasonal(96), np.full(6, np.nan)])
    fitted = quick(known="price", steps=30, learning_rate=0.1).fit(table(y, price=price))
    assert any(line.startswith(note) for line in fitted.notes), fitted.notes
    as_learned = table(np.full(102, np.nan), price=price[1]).iloc[96:]
    np.testing.assert_allclose(fitted.predict()["forecast"], fitted.predict(as_learned)["forecast"])


def test_a_category_that_is_new_in_the_plan_is_said_and_counts_as_none():
    y = seasonal(96)
    sale = np.where(np.arange(102) % 5, "no", "yes")
    fitted = quick(known="sale").fit(table(y, sale=sale[:96]))
    ahead = table(np.full(102, np.nan), sale=np.full(102, "fire")).iloc[96:]
    made = fitted.predict(ahead)
    assert "sale 'fire' was not there in training, and counts as none" in fitted.notes
    np.testing.assert_allclose(made["forecast"], fitted.predict(ahead.assign(sale=""))["forecast"])
    assert not any("fire" in note for note in fitted.notes)


SIZES = {
    "large": (seasonal() * 1e300, {}, "y of the series holds 2.97e+301: expected numbers up to 1e+100; divide"),
    "one": (np.where(np.arange(96) == 50, -1e200, seasonal()), {}, "y of the series holds 1e+200"),
    "small": (seasonal() * 1e-200, {}, "y of the series holds at most 2.97e-199: expected numbers above 1e-100; multi"),
    "beside": (seasonal(), {"price": seasonal() * 1e150}, "price of the series holds 2.97e+151"),
}


@pytest.mark.parametrize("case", SIZES)
def test_numbers_without_a_square_are_refused_in_one_line(case):
    y, beside, said = SIZES[case]
    with pytest.raises(InputError) as caught:
        quick(**({"past": "price"} if beside else {})).fit(table(y, **beside))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factor", [1e99 / 30, 1e-98])
def test_numbers_that_have_a_square_are_forecast_as_others_are(factor):
    usual, scaled = (quick().fit(table(y)).forecasts()[0].quantiles for y in (seasonal(), factor * seasonal()))
    np.testing.assert_allclose(scaled / factor, usual, rtol=1e-4)


def test_new_rows_without_a_square_are_refused():
    fitted = quick().fit(table(seasonal()))
    with pytest.raises(InputError, match=r"holds 1e\+300"):
        fitted.predict(table(np.full(98, 1e300)).iloc[96:])
