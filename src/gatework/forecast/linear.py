"""The linear part: what lags and other simple forecasts say of the base forecast's error, by ridge regression."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from gatework.forecast.base import Numbers
from gatework.forecast.inputs import LARGEST, Inputs
from gatework.runs.progress import PartProgress, counted, no_progress

CUTS = (0.4, 0.55, 0.7, 1.0)  # shares of a series: trained on what lies before one, judged on what lies up to the next
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TOGETHER = 4_000_000  # numbers of a design that are in memory at once
GAIN = 0.1  # share of the base error that it must take away of one series, of B series GAIN over the root of B
WORTH = 0.97  # a smaller penalty must bring the error down to this share


@dataclass(frozen=True)
class Linear:
    """Weights [h,F] of the inputs, for each step of the horizon; all 0 where they are of no use."""

    weights: Numbers

    def __call__(self, inputs: Inputs) -> Numbers:
        """The part of the residual that it expects [T,h]."""
        F = inputs.common.shape[1]
        ahead = np.einsum("thc,hc->th", inputs.ahead, self.weights[:, F:])
        return np.asarray(inputs.common @ self.weights[:, :F].T + ahead)


def cut(inputs: Inputs, share: float) -> int:
    """The step before which lies such a share of a series' steps from `warm` on."""
    return inputs.warm + round(share * (len(inputs) - inputs.warm))


def fit_linear(
    series: Sequence[Inputs], lags: int, on_progress: PartProgress = no_progress
) -> tuple[list[Linear], float]:
    """Fitted to what lies before each of CUTS, with the penalty that errs least on what follows it.

    Returns them, the last one fitted to everything, and the share of the base's absolute error that they leave there.
    """
    penalty = lag_penalty(series[0], lags)
    squares, products, counts = moments(counted(series, len(series), partial(on_progress, "fitting the linear part")))
    fits = [
        [
            solve(squares[: s + 1].sum(0), products[: s + 1].sum(0), counts[: s + 1].sum(0), size * penalty)
            for size in PENALTIES
        ]
        for s in range(len(CUTS))
    ]
    none = np.zeros_like(fits[0][0])
    choices = np.stack([np.stack([*fit, none], 2) for fit in fits])  # [S,h,F,P + 1]
    left = judged(counted(series, len(series), partial(on_progress, "judging the linear part")), choices)
    choice = _choice(left, 1 - GAIN / math.sqrt(len(series)))
    chosen = [none] * len(CUTS) if choice is None else [fit[choice] for fit in fits]
    score = 1.0 if choice is None else float(left[:, choice].mean() / left[:, -1].mean())
    return [Linear(weights) for weights in chosen], score


def _choice(left: Numbers, useful: float) -> int | None:
    """The penalty to take by what each leaves on each stretch [S,P + 1], the last without a linear part, or none.

    useful: the share that it must leave at most; WORTH is asked of it as well.
    """
    without = left[:, -1]
    best, chosen = min(1.0, useful / WORTH) * without.mean(), None
    for choice in reversed(range(left.shape[1] - 1)):
        if left[:, choice].mean() < WORTH * best and (left[:, choice] <= without).all():
            best, chosen = left[:, choice].mean(), choice
    return chosen


def lag_penalty(inputs: Inputs, lags: int) -> Numbers:
    """Relative penalties [F]: a lag's grows with its square, as in the Minnesota prior (Litterman 1986)."""
    penalty = np.ones(inputs.common.shape[1] + inputs.ahead.shape[2])
    penalty[: 2 * lags] = np.tile((1.0 + np.arange(lags)) ** 2, 2)
    return penalty


def designs(inputs: Inputs) -> Iterator[tuple[int, Numbers, Numbers, Numbers]]:
    """By the step that is forecast: k, inputs [K,T,F], residuals [K,T], whether each is there [K,T].

    For some steps k ... k + K - 1 of the horizon (from 0) at a time, as many as memory allows; 0 where there is nothing
    to learn from.
    """
    T, h = inputs.residual.shape
    target = np.arange(T)
    F = inputs.common.shape[1] + inputs.ahead.shape[2]
    most = max(1, TOGETHER // (T * F))
    for begin in range(0, h, most):
        k = np.arange(begin, min(begin + most, h))[:, None]
        origin = target - k - 1  # [K,T]
        index = np.maximum(origin, 0)
        r = inputs.residual[index, k]
        there = (origin >= inputs.warm) & ~np.isnan(r)
        x = np.concatenate([inputs.common[index], inputs.ahead[index, k]], 2) * there[:, :, None]
        yield begin, x, np.where(there, np.clip(r, -LARGEST, LARGEST), 0.0), there.astype(float)


def stretches(inputs: Inputs) -> list[slice]:
    """The steps between one of CUTS and the next."""
    return [slice(begin, end) for begin, end in pairwise([0, *(cut(inputs, share) for share in CUTS)])]


def moments(series: Iterable[Inputs]) -> tuple[Numbers, Numbers, Numbers]:
    """X'X [S,h,F,F], X'r [S,h,F] and the number of rows [S,h], of each of the S stretches."""
    sums: tuple[Numbers, Numbers, Numbers] | None = None
    for inputs in series:
        h, F = inputs.residual.shape[1], inputs.common.shape[1] + inputs.ahead.shape[2]
        S = len(CUTS)
        squares, products, counts = sums = sums or (np.zeros((S, h, F, F)), np.zeros((S, h, F)), np.zeros((S, h)))
        for begin, x, r, there in designs(inputs):
            steps = slice(begin, begin + len(x))
            for s, rows in enumerate(stretches(inputs)):
                some = x[:, rows].swapaxes(1, 2)  # [K,F,n]
                squares[s, steps] += some @ x[:, rows]
                products[s, steps] += (some @ r[:, rows, None])[:, :, 0]
                counts[s, steps] += there[:, rows].sum(1)
    assert sums is not None
    return sums


def solve(squares: Numbers, products: Numbers, counts: Numbers, penalty: Numbers) -> Numbers:
    """Weights [h,F] of the least (r - Xw)^2 / n + penalty * (deviation of the input * w)^2."""
    n = np.maximum(counts, 1)[:, None]
    energy = np.maximum(np.einsum("hff->hf", squares) / n, 1e-6)  # an input that is always 0 gets no weight
    shrunk = squares / n[:, :, None] + np.eye(len(penalty)) * (penalty * energy)[:, None]
    return np.asarray(np.linalg.solve(shrunk, (products / n)[:, :, None])[:, :, 0])


def judged(series: Iterable[Inputs], choices: Numbers) -> Numbers:
    """The mean absolute residual left on each stretch but the first by weights [S,h,F,P] fitted before it [S-1,P]."""
    totals, counts = np.zeros((len(CUTS) - 1, choices.shape[3])), np.zeros((len(CUTS) - 1, 1))
    for inputs in series:
        for begin, x, r, there in designs(inputs):
            for s, rows in list(enumerate(stretches(inputs)))[1:]:
                left = np.abs(r[:, rows, None] - x[:, rows] @ choices[s - 1, begin : begin + len(x)])
                totals[s - 1] += left.sum((0, 1))
                counts[s - 1] += there[:, rows].sum()
    return np.asarray(totals / np.maximum(counts, 1))
