"""Autoregressions of a series or of its changes, fitted at every origin to the past alone."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

RIDGE = 0.1  # values of average size by which each coefficient is drawn to 0
ROWS = 2  # values at least, for each coefficient, that an autoregression is fitted to, and
MORE = 4  # beside them
FADING = 0.99  # weight of a step over that of the next one
TOGETHER = 4_000_000  # numbers of the squares of all steps that are in memory at once


def lags(order: int, m: int) -> list[int]:
    """The steps that are looked back by: 1 ... order, and a season of m where there is one."""
    return sorted({*range(1, order + 1), *([m] if m > 1 else [])})


def first_origin(order: int, differences: int, m: int) -> int:
    """The first step from which an autoregression forecasts."""
    looked = lags(order, m)
    return _begin(differences, m) + max(looked) + ROWS * (len(looked) + 1) + MORE


def _begin(differences: int, m: int) -> int:
    """The first step that has a change."""
    return (m if m > 1 else 0) + differences


def autoregression(z: Numbers, h: int, m: int, order: int, differences: int) -> Numbers:
    """Forecasts f [...,T,h] from every step of z [...,T], NaN where there is too little past.

    w_t = c + a_1 w_(t-1) + ... + a_p w_(t-p) + b w_(t-m), by least squares over all steps so far, which fade. w is z,
    or its change since a season of m steps before (m > 1), or with differences = 1 the change of either since the last
    step. No w is forecast outside those seen.
    """
    T = z.shape[-1]
    flat = z.reshape(-1, T)
    most = max(1, TOGETHER // (T * (len(lags(order, m)) + 1) ** 2))
    if len(flat) > most:
        some = [flat[begin : begin + most] for begin in range(0, len(flat), most)]
        made = [autoregression(each, h, m, order, differences) for each in some]
        return np.concatenate(made).reshape(*z.shape, h)
    levels = _lagged_change(flat, m) if m > 1 else flat - flat[:, :1]
    w = _lagged_change(levels, 1) if differences else levels
    first = first_origin(order, differences, m)
    f = np.full((len(flat), T, h), np.nan)
    if first < T:
        ahead = _iterated(w, h, lags(order, m), first, _begin(differences, m), constant=not (differences and m > 1))
        if differences:
            ahead = levels[:, first:, None] + ahead.cumsum(-1)
        f[:, first:] = _since_season(flat, ahead, m, first) if m > 1 else ahead + flat[:, :1, None]
    return f.reshape(*z.shape, h)


def _lagged_change(z: Numbers, m: int) -> Numbers:
    """z_t - z_(t-m) [B,T], 0 before there is any."""
    change = np.zeros_like(z)
    change[:, m:] = z[:, m:] - z[:, :-m]
    return change


def _iterated(w: Numbers, h: int, looked: list[int], first: int, begin: int, *, constant: bool) -> Numbers:
    """What comes after each w_t [B,T], t from `first` on: each step from those before it, [B,T-first,h]."""
    back = max(looked)
    c = _coefficients(w, looked, first, begin, constant=constant)  # [B,T-first,F]
    window = np.lib.stride_tricks.sliding_window_view(w, back, axis=1)[:, first - back + 1 :]
    path = np.concatenate([window, np.zeros((*window.shape[:2], h))], 2)
    low = np.minimum.accumulate(w[:, begin:], 1)[:, first - begin :]
    high = np.maximum.accumulate(w[:, begin:], 1)[:, first - begin :]
    for k in range(h):
        value = c[..., -1] + sum(c[..., i] * path[..., back + k - lag] for i, lag in enumerate(looked))
        path[..., back + k] = np.clip(value, low, high)
    return path[..., back:]


def _coefficients(w: Numbers, looked: list[int], first: int, begin: int, *, constant: bool) -> Numbers:
    """Those of each lag, and the constant, of a fit to all steps up to t, t from `first` on: [B,T-first,F]."""
    start = begin + max(looked)
    columns = [w[:, start - lag : w.shape[1] - lag] for lag in looked]
    x = np.stack([*columns, np.full_like(columns[0], float(constant))], 2)  # [B,N,F]
    squares = _faded(np.einsum("bnf,bng->bnfg", x, x))[:, first - start :]
    products = _faded(x * w[:, start:, None])[:, first - start :]
    count = _faded(np.ones((1, x.shape[1])))[0, first - start :, None]
    energy = np.einsum("bnff->bnf", squares)
    ridge = np.where(energy > 0, RIDGE / count * energy, 1.0)
    squares = squares + ridge[..., None] * np.eye(x.shape[2])
    return np.asarray(np.linalg.solve(squares, products[..., None])[..., 0])


def _faded(x: Numbers) -> Numbers:
    """Sums over all steps so far [B,N,...], in which each counts FADING of the one after it."""
    total, sums = np.zeros_like(x[:, 0]), np.empty_like(x)
    for step in range(x.shape[1]):
        total = sums[:, step] = FADING * total + x[:, step]
    return sums


def _since_season(z: Numbers, change: Numbers, m: int, first: int) -> Numbers:
    """What stood a season before, in z [B,T] or in the forecast itself, and its change [B,T-first,h]."""
    f = np.empty_like(change)
    for k in range(change.shape[2]):
        before = z[:, first + k + 1 - m : z.shape[1] + k + 1 - m] if k < m else f[..., k - m]
        f[..., k] = before + change[..., k]
    return f
