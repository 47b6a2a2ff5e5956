"""Fitting: the linear part, the networks, how far they are to be trusted, and how wide the bands must be."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatework.cells import Cell
from gatework.forecast.base import Numbers
from gatework.forecast.batches import batch, batch_size, known_of, padded, parts
from gatework.forecast.inputs import LARGEST, Inputs
from gatework.forecast.linear import CUTS, Linear, cut, fit_linear
from gatework.forecast.model import Ensemble, one_cycle, pinball
from gatework.forecast.options import Options
from gatework.runs.progress import Told, counted, nobody
from gatework.training.events import TrainingError

HOLDOUT_MEMBERS = (0.7,)  # networks that learn from such a share of each series, and are judged on what follows
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of what the network says that are tried
WORTH = 0.995  # a larger share must bring the error down to this
LEAST_INDEPENDENT = 3.0  # errors that a width is taken to rest on
WIDEST = 3.0  # factor of a band's width
ORIGINS = 384  # about, that each step learns from, drawn from all of a batch, and
LEAST_ORIGINS = 48  # at least of each series
PASSES = 12  # over all series, where the number of steps does not give as many

Whole = NDArray[np.int64]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Training:
    """How the networks are trained; `gatework.forecast.forecaster.Forecaster` says what each is."""

    cell: Cell
    hidden: int = Options.hidden
    members: int = Options.members
    dropout: float = Options.dropout
    steps: int = Options.steps
    learning_rate: float = Options.learning_rate
    weight_decay: float = 0.01
    seed: int = Options.seed
    engine: str = Options.engine


@dataclass(frozen=True)
class Fitted:
    """What forecasts: residual quantiles = linear + center + factor * (spread), see `residual_quantiles`.

    offsets [h,P]: quantiles of what the linear part leaves, around its median. trust: the share of the network that
    counts. factors [P]: by how much each quantile is moved away from the median. linear_score, network_score: the
    absolute error that is left of the base's after the linear part, and of that after the network.
    """

    linear: Linear
    network: Ensemble
    offsets: Numbers
    trust: float
    factors: Numbers
    linear_score: float
    network_score: float


def fit(
    series: Sequence[Inputs],
    lags: int,
    places: int,
    probabilities: Sequence[float],
    options: Training,
    progress: Progress,
    told: Told = nobody,
) -> Fitted:
    """Fits everything to prepared series. Of the networks, the first ones are the judges."""
    linears, linear_score = fit_linear(series, lags, told)
    by_share = dict(zip(CUTS, linears, strict=True))
    shares = [*HOLDOUT_MEMBERS, *[1.0] * options.members]
    expected = [
        [by_share[share](inputs) for share in HOLDOUT_MEMBERS] + [by_share[1.0](inputs)] * options.members
        for inputs in series
    ]
    ends = [[cut(inputs, share) for share in shares] for inputs in series]
    offsets = leftover_quantiles(series, [each[-1] for each in expected], probabilities)
    with torch.random.fork_rng(devices=[]):
        network = untrained(options, offsets, inputs=series[0].x.shape[1], known=series[0].ahead.shape[2] - places)
        torch.manual_seed(options.seed)
        learn(network, series, expected, ends, places, probabilities, options, progress)
    centred = offsets - offsets[:, [len(probabilities) // 2]]
    said, true, steps, independent = judgements(network, series, expected, ends, places, told)
    trust, network_score = trusted(said[:, len(probabilities) // 2], true)
    quantiles = centred[steps] + trust * (said - centred[steps])
    return Fitted(
        linears[-1],
        network,
        centred,
        trust,
        widths(quantiles, true, probabilities, independent),
        linear_score,
        network_score,
    )


def untrained(options: Training, offsets: Numbers, inputs: int, known: int) -> Ensemble:
    """The networks before training: the judges, and those that forecast."""
    with torch.random.fork_rng(devices=[]):
        return Ensemble(
            options.cell,
            inputs,
            torch.tensor(offsets, dtype=torch.float32),
            members=len(HOLDOUT_MEMBERS) + options.members,
            hidden=options.hidden,
            known=known,
            dropout=options.dropout,
            engine=options.engine,
            seed=options.seed,
        )


def leftover_quantiles(
    series: Sequence[Inputs], expected: Sequence[Numbers], probabilities: Sequence[float]
) -> Numbers:
    """Quantiles [h,P] of what the linear part leaves of the residuals of all series."""
    left = np.concatenate([(i.residual - e)[i.warm :] for i, e in zip(series, expected, strict=True)])  # [N,h]
    rows = []
    for column in left.T:
        known = column[~np.isnan(column)]
        rows.append(
            np.quantile(np.clip(known, -LARGEST, LARGEST), probabilities)
            if known.size
            else np.zeros(len(probabilities))
        )
    return np.array(rows)


def learn(
    network: Ensemble,
    series: Sequence[Inputs],
    expected: Sequence[Sequence[Numbers]],
    ends: Sequence[Sequence[int]],
    places: int,
    probabilities: Sequence[float],
    options: Training,
    progress: Progress,
) -> None:
    """Trains the networks by AdamW with one cycle of the rate; every origin of every series is learned from at once."""
    found = parts(series)
    size = batch_size(found)
    per_pass = -(-len(found) // size)
    steps = max(options.steps, PASSES * per_pass) if per_pass > 1 else options.steps
    p = torch.tensor(probabilities, dtype=torch.float32)
    rate = options.learning_rate
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=options.weight_decay, fused=True)
    network.train()
    drawn: list[int] = []
    whole = None
    for step in range(steps):
        if len(drawn) < size:
            drawn = torch.randperm(len(found)).tolist()
        chosen, drawn = [found[index] for index in drawn[:size]], drawn[size:]
        data = whole or batch(series, expected, chosen, ends, places)
        whole = data if per_pass == 1 else None
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(step + 1, steps + 1, rate)
        optimizer.zero_grad()
        outputs, _ = network.states(data.x, lengths=data.lengths if len(chosen) > 1 else None)
        looked = torch.randperm(len(outputs))[: max(LEAST_ORIGINS, ORIGINS // len(chosen))]
        quantiles = network.quantiles(outputs[looked], None if data.known is None else data.known[looked])
        loss = pinball(quantiles, data.targets[looked], p, data.mask[looked])
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(f"the loss is {loss.item()} at step {step + 1}: lower the learning rate of {rate:g}")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        progress(step + 1, steps, float(loss.detach()))
    network.eval()


def judgements(
    network: Ensemble,
    series: Sequence[Inputs],
    expected: Sequence[Sequence[Numbers]],
    ends: Sequence[Sequence[int]],
    places: int,
    told: Told = nobody,
) -> tuple[Numbers, Numbers, Whole, float]:
    """What each judge says of the stretch after what it learned from.

    Returns quantiles [N,P] of what the linear part leaves there, its true values [N], their steps ahead [N], and how
    many of them are worth as much as independent ones.
    """
    said, true, steps = [], [], []
    independent = 0.0
    for number, inputs in counted(enumerate(series), len(series), partial(told, "judging")):
        outputs, known = outputs_of(network, inputs, places)
        h = inputs.residual.shape[1]
        targets = np.arange(len(inputs))[:, None] + np.arange(1, h + 1)
        for judge in range(len(HOLDOUT_MEMBERS)):
            rest = inputs.residual - expected[number][judge]
            inside = (targets >= ends[number][judge]) & (targets < ends[number][judge + 1]) & ~np.isnan(rest)
            inside[: inputs.warm] = False
            rows = np.flatnonzero(inside.any(1))
            if not len(rows):
                continue
            with torch.no_grad():
                q = network.quantiles(outputs[rows], None if known is None else known[rows], slice(judge, judge + 1))
            said.append(q[:, 0].numpy()[inside[rows]])
            true.append(rest[inside])
            steps.append(np.nonzero(inside)[1])
            independent += independent_errors(np.where(inside, rest, np.nan))
    return np.concatenate(said).astype(float), np.concatenate(true), np.concatenate(steps), independent


def outputs_of(network: Ensemble, inputs: Inputs, places: int) -> tuple[Tensor, Tensor | None]:
    """The outputs [T,M,H] over a series, and its columns known in the future [T,h,K]."""
    with torch.no_grad():
        outputs, _ = network.states(padded([inputs.x]))
    known = known_of(inputs, places)
    return outputs[:, 0], torch.from_numpy(known.astype(np.float32)) if known.shape[2] else None


def trusted(median: Numbers, true: Numbers) -> tuple[float, float]:
    """The share of the network's median that leaves the least error, and how much of it that leaves."""
    true = np.clip(true, -LARGEST, LARGEST)
    losses = [float(np.abs(true - share * median).mean()) for share in TRUST]
    best = 0
    for choice in range(1, len(TRUST)):
        if losses[choice] < WORTH * losses[best]:
            best = choice
    return TRUST[best], losses[best] / losses[0] if losses[0] else 1.0


def independent_errors(errors: Numbers) -> float:
    """How many independent errors those of overlapping forecasts [T,h] are worth.

    n (1 - r) / (1 + r) for the n values that were forecast, r being the correlation of the mean error of one with that
    of the next (Bayley & Hammersley 1946).
    """
    T, h = errors.shape
    by_target = np.full((T + h, h), np.nan)
    for k in range(h):
        by_target[k + 1 : k + 1 + T, k] = errors[:, k]
    count = (~np.isnan(by_target)).sum(1)
    e = np.nansum(by_target, 1)[count > 0] / count[count > 0]
    if len(e) < 3 or not e.any():
        return float(len(e))
    r = float(np.clip((e[1:] @ e[:-1]) / (e @ e), 0, 0.95))
    return len(e) * (1 - r) / (1 + r)


def widths(quantiles: Numbers, true: Numbers, probabilities: Sequence[float], independent: float) -> Numbers:
    """Factors [P] of the distance between each quantile and the median under which bands hold the right share.

    Conformal prediction on the judges' stretches (Romano, Patterson & Candes 2019), with one factor for both borders of
    a band at all steps. Bands are never narrower than what was left while learning, and wider as few independent errors
    are known: by the quantiles of Student's t over those of the normal.
    """
    middle = len(probabilities) // 2
    factors = np.ones(len(probabilities))
    median = quantiles[:, middle]
    for low in range(middle):
        high = len(probabilities) - 1 - low
        border = np.where(true < median, median - quantiles[:, low], quantiles[:, high] - median)
        ratio = np.abs(true - median) / np.maximum(border, 1e-6)
        found = max(1.0, float(np.quantile(ratio, probabilities[high] - probabilities[low])))
        found *= caution(probabilities[high], max(independent, LEAST_INDEPENDENT))
        factors[[low, high]] = min(found, WIDEST)
    return factors


def caution(p: float, n: float) -> float:
    """How much farther the quantile p of the next value lies where the deviation was measured on n values.

    sqrt(1 + 1/n) t / z, t being Student's of v = n - 1 degrees of freedom and z the normal quantile, with
    t = z + (z^3 + z) / (4 v) + (5 z^5 + 16 z^3 + 3 z) / (96 v^2) (Cornish & Fisher 1938).
    """
    z, v = NormalDist().inv_cdf(p), n - 1
    return math.sqrt(1 + 1 / n) * (1 + (z**2 + 1) / (4 * v) + (5 * z**4 + 16 * z**2 + 3) / (96 * v**2))
