"""Fitting: the linear part, the networks, how far they are to be trusted, and how wide the bands must be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatework.cells import Cell
from gatework.tasks.forecast_base import Numbers
from gatework.tasks.forecast_batches import batch, batch_size, known_of, padded, parts
from gatework.tasks.forecast_inputs import LARGEST, Inputs
from gatework.tasks.forecast_linear import CUTS, Linear, cut, fit_linear
from gatework.tasks.forecast_model import Ensemble, one_cycle, pinball

JUDGES = (0.6, 0.8)  # networks that learn from such a share of each series alone, to be judged on what follows
TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of what the network says that are tried
WORTH = 0.995  # a larger share must bring the error down to this
NARROWEST, WIDEST = 0.5, 2.5  # factors of a band's width
PASSES = 12  # over all series, where the number of steps does not give as many

Whole = NDArray[np.int64]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Options:
    """How the networks are trained; `gatework.tasks.forecast.Forecaster` says what each is."""

    cell: Cell
    hidden: int = 16
    members: int = 4
    dropout: float = 0.3
    steps: int = 120
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    seed: int = 0
    engine: str = "auto"


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
    options: Options,
    progress: Progress,
) -> Fitted:
    """Fits everything to prepared series. Of the networks, the first two are the judges."""
    linears, linear_score = fit_linear(series, lags)
    by_share = dict(zip(CUTS, linears, strict=True))
    shares = [*JUDGES, *[1.0] * options.members]
    expected = [
        [by_share[share](inputs) for share in JUDGES] + [by_share[1.0](inputs)] * options.members for inputs in series
    ]
    ends = [[cut(inputs, share) for share in shares] for inputs in series]
    offsets = leftover_quantiles(series, [each[-1] for each in expected], probabilities)
    with torch.random.fork_rng(devices=[]):
        network = untrained(options, offsets, inputs=series[0].x.shape[1], known=series[0].ahead.shape[2] - places)
        torch.manual_seed(options.seed)
        learn(network, series, expected, ends, places, probabilities, options, progress)
    centred = offsets - offsets[:, [len(probabilities) // 2]]
    said, true, steps = judgements(network, series, expected, ends, places)
    trust, network_score = trusted(said[:, len(probabilities) // 2], true)
    quantiles = centred[steps] + trust * (said - centred[steps])
    return Fitted(
        linears[-1], network, centred, trust, widths(quantiles, true, probabilities), linear_score, network_score
    )


def untrained(options: Options, offsets: Numbers, inputs: int, known: int) -> Ensemble:
    """The networks before training: the judges, and those that forecast."""
    with torch.random.fork_rng(devices=[]):
        return Ensemble(
            options.cell,
            inputs,
            torch.tensor(offsets, dtype=torch.float32),
            members=len(JUDGES) + options.members,
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
    options: Options,
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
        quantiles, _ = network(data.x, data.known, lengths=data.lengths if len(chosen) > 1 else None)
        loss = pinball(quantiles, data.targets, p, data.mask)
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
) -> tuple[Numbers, Numbers, Whole]:
    """What each judge says of the stretch after what it learned from.

    Returns quantiles [N,P] of what the linear part leaves there, its true values [N], and their steps ahead [N].
    """
    said, true, steps = [], [], []
    for number, inputs in enumerate(series):
        outputs, known = outputs_of(network, inputs, places)
        h = inputs.residual.shape[1]
        targets = np.arange(len(inputs))[:, None] + np.arange(1, h + 1)
        for judge in range(len(JUDGES)):
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
    return np.concatenate(said).astype(float), np.concatenate(true), np.concatenate(steps)


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


def widths(quantiles: Numbers, true: Numbers, probabilities: Sequence[float]) -> Numbers:
    """Factors [P] of the distance between each quantile and the median under which the right share lies below it.

    Conformal prediction on the judges' stretches (Romano, Patterson & Candes 2019), with one factor for all steps.
    """
    middle = len(probabilities) // 2
    factors = np.ones(len(probabilities))
    for index, p in enumerate(probabilities):
        if index == middle:
            continue
        distance = quantiles[:, index] - quantiles[:, middle]
        sign = 1 if p > 0.5 else -1
        ratio = (true - quantiles[:, middle]) * sign / np.maximum(distance * sign, 1e-6)
        factors[index] = np.clip(np.quantile(ratio, p if p > 0.5 else 1 - p), NARROWEST, WIDEST)
    return factors
