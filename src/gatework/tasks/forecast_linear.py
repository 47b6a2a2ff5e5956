"""The linear part: what lags and other simple forecasts say of the base forecast's error, by ridge regression."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gatework.tasks.forecast_base import Numbers
from gatework.tasks.forecast_inputs import LARGEST, Inputs

CUTS = (0.4, 0.55, 0.7, 1.0)  # shares of a series: trained on what lies before one, judged on what lies up to the next
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
WORTH = 0.97  # a smaller penalty must bring the error down to this share, and on no stretch above the base's


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


def fit_linear(series: Sequence[Inputs], lags: int) -> tuple[list[Linear], float]:
    """Fitted to what lies before each of CUTS, with the penalty that errs least on what follows it.

    Returns them, the last one fitted to everything, and the share of the base's absolute error that they leave there.
    """
    penalty = lag_penalty(series[0], lags)
    squares, products, counts = moments(series)
    fits = [
        [
            solve(squares[: s + 1].sum(0), products[: s + 1].sum(0), counts[: s + 1].sum(0), size * penalty)
            for size in PENALTIES
        ]
        for s in range(len(CUTS))
    ]
    none = np.zeros_like(fits[0][0])
    without = judged(series, [none] * len(CUTS))
    best, chosen = without, [none] * len(CUTS)
    for choice in reversed(range(len(PENALTIES))):
        candidate = [fit[choice] for fit in fits]
        left = judged(series, candidate)
        if left.mean() < WORTH * best.mean() and (left <= without).all():
            best, chosen = left, candidate
    return [Linear(weights) for weights in chosen], float(best.mean() / without.mean()) if without.any() else 1.0


def lag_penalty(inputs: Inputs, lags: int) -> Numbers:
    """Relative penalties [F]: a lag's grows with its square, as in the Minnesota prior (Litterman 1986)."""
    penalty = np.ones(inputs.common.shape[1] + inputs.ahead.shape[2])
    penalty[: 2 * lags] = np.tile((1.0 + np.arange(lags)) ** 2, 2)
    return penalty


def designs(inputs: Inputs, k: int) -> tuple[Numbers, Numbers, "np.typing.NDArray[np.int64]"]:
    """Rows of inputs [N,F], residuals [N] and target steps [N] for step k of the horizon (from 0)."""
    origins = np.arange(inputs.warm, len(inputs))
    rows = origins[~np.isnan(inputs.residual[origins, k])]
    x = np.concatenate([inputs.common[rows], inputs.ahead[rows, k]], 1)
    return x, np.clip(inputs.residual[rows, k], -LARGEST, LARGEST), rows + k + 1


def stretches(inputs: Inputs, targets: "np.typing.NDArray[np.int64]") -> Iterator[slice]:
    """The rows between one of CUTS and the next."""
    borders = [0, *(int(np.searchsorted(targets, cut(inputs, share))) for share in CUTS)]
    for begin, end in pairwise(borders):
        yield slice(begin, end)


def moments(series: Sequence[Inputs]) -> tuple[Numbers, Numbers, Numbers]:
    """X'X [S,h,F,F], X'r [S,h,F] and the number of rows [S,h], of each of the S stretches."""
    h, F = series[0].residual.shape[1], series[0].common.shape[1] + series[0].ahead.shape[2]
    squares, products, counts = np.zeros((len(CUTS), h, F, F)), np.zeros((len(CUTS), h, F)), np.zeros((len(CUTS), h))
    for inputs in series:
        for k in range(h):
            x, r, targets = designs(inputs, k)
            for s, rows in enumerate(stretches(inputs, targets)):
                squares[s, k] += x[rows].T @ x[rows]
                products[s, k] += x[rows].T @ r[rows]
                counts[s, k] += rows.stop - rows.start
    return squares, products, counts


def solve(squares: Numbers, products: Numbers, counts: Numbers, penalty: Numbers) -> Numbers:
    """Weights [h,F] of the least (r - Xw)^2 / n + penalty * (deviation of the input * w)^2."""
    n = np.maximum(counts, 1)[:, None]
    energy = np.maximum(np.einsum("hff->hf", squares) / n, 1e-6)  # an input that is always 0 gets no weight
    shrunk = squares / n[:, :, None] + np.eye(len(penalty)) * (penalty * energy)[:, None]
    return np.asarray(np.linalg.solve(shrunk, (products / n)[:, :, None])[:, :, 0])


def judged(series: Sequence[Inputs], fits: Sequence[Numbers]) -> Numbers:
    """The mean absolute residual left on each stretch but the first by what was fitted before it [S-1]."""
    totals, counts = np.zeros(len(CUTS) - 1), np.zeros(len(CUTS) - 1)
    for inputs in series:
        for k in range(inputs.residual.shape[1]):
            x, r, targets = designs(inputs, k)
            for s, rows in enumerate(stretches(inputs, targets)):
                if s > 0:
                    totals[s - 1] += np.abs(r[rows] - x[rows] @ fits[s - 1][k]).sum()
                    counts[s - 1] += rows.stop - rows.start
    return np.asarray(totals / np.maximum(counts, 1))
