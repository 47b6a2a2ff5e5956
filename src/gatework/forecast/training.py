"""Fitting: the linear part and the networks, which are judged on later stretches than they learned from."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatework.engines import choose
from gatework.forecast.base import Numbers
from gatework.forecast.batches import batch, batch_size, padded, parts
from gatework.forecast.calibration import independent_errors, trusted, widths
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Fitted, Sizes, States, Training
from gatework.forecast.inputs import LARGEST, Inputs, known_of
from gatework.forecast.linear import CUTS, cut, fit_linear
from gatework.forecast.model import Ensemble, one_cycle, pinball
from gatework.runs.progress import PartProgress, counted, no_progress
from gatework.training.events import TrainingError
from gatework.training.processes import chosen_device

ORIGINS = 384  # that each step learns from at most, drawn from all of a batch, and
TARGETS = 4096  # values of them at most, as the horizons of near origins overlap, but
LEAST_ORIGINS = 48  # origins at least of each series
PASSES = 12  # over all series, where the number of steps does not give as many

CPU = torch.device("cpu")

Whole = NDArray[np.int64]
Progress = Callable[[int, int, float], None]


def trainer(device: str, options: Training) -> torch.device:
    """What trains the networks, by its name; InputError where it, or the engine there or on the CPU, cannot be used."""
    chosen = chosen_device(device)
    for used in (chosen, CPU):
        choose(options.engine, used, torch.float32)
    return chosen


def fit(
    series: Sequence[Inputs],
    lags: int,
    places: int,
    probabilities: Sequence[float],
    options: Training,
    progress: Progress,
    on_progress: PartProgress = no_progress,
    *,
    device: torch.device = CPU,
) -> Fitted:
    """Fits everything to prepared series. Of the networks, the first ones are the judges.

    device: what trains them; they are on the CPU afterwards.
    """
    linears, linear_score = fit_linear(series, lags, on_progress)
    by_share = dict(zip(CUTS, linears, strict=True))
    shares = [*HOLDOUT_MEMBERS, *[1.0] * options.members]
    expected = [
        [by_share[share](inputs) for share in HOLDOUT_MEMBERS] + [by_share[1.0](inputs)] * options.members
        for inputs in series
    ]
    ends = [[cut(inputs, share) for share in shares] for inputs in series]
    offsets = _leftover_quantiles(series, [each[-1] for each in expected], probabilities)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        network = untrained(options, offsets, Sizes(series[0].x.shape[1], series[0].ahead.shape[2] - places))
        torch.manual_seed(options.seed)
        _learn(network.to(device), series, expected, ends, places, probabilities, options, progress)
    network = network.cpu()
    centred = offsets - offsets[:, [len(probabilities) // 2]]
    said, true, steps, independent = _judgements(network, series, expected, ends, places, on_progress)
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


def untrained(options: Training, offsets: Numbers, sizes: Sizes) -> Ensemble:
    """The networks before training: the judges, and those that forecast."""
    with torch.random.fork_rng(devices=[]):
        return Ensemble(
            options.cell,
            sizes.inputs,
            torch.tensor(offsets, dtype=torch.float32),
            members=len(HOLDOUT_MEMBERS) + options.members,
            hidden=options.hidden,
            known=sizes.known,
            dropout=options.dropout,
            engine=options.engine,
            seed=options.seed,
        )


def _leftover_quantiles(
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


def _learn(
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
    pieces = parts(series)
    size = batch_size(pieces)
    per_pass = -(-len(pieces) // size)
    steps = max(options.steps, PASSES * per_pass) if per_pass > 1 else options.steps
    device = network.offset.device
    p = torch.tensor(probabilities, dtype=torch.float32, device=device)
    rate = options.learning_rate
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=options.weight_decay, fused=True)
    network.train()
    most = min(ORIGINS, TARGETS // series[0].residual.shape[1])
    drawn: list[int] = []
    whole = None
    for step in range(steps):
        if len(drawn) < size:
            drawn = torch.randperm(len(pieces)).tolist()
        chosen, drawn = [pieces[index] for index in drawn[:size]], drawn[size:]
        data = whole or batch(series, expected, chosen, ends, places).to(device)
        whole = data if per_pass == 1 else None
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(step + 1, steps + 1, rate)
        optimizer.zero_grad()
        outputs, _ = network.states(data.x, lengths=data.lengths if len(chosen) > 1 else None)
        looked = torch.randperm(len(outputs))[: max(LEAST_ORIGINS, most // len(chosen))]
        quantiles = network.quantiles(outputs[looked], None if data.known is None else data.known[looked])
        loss = pinball(quantiles, data.targets[looked], p, data.mask[looked])
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(f"the loss is {loss.item()} at step {step + 1}: lower the learning rate of {rate:g}")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        progress(step + 1, steps, float(loss.detach()))
    network.eval()


def _judgements(
    network: Ensemble,
    series: Sequence[Inputs],
    expected: Sequence[Sequence[Numbers]],
    ends: Sequence[Sequence[int]],
    places: int,
    on_progress: PartProgress = no_progress,
) -> tuple[Numbers, Numbers, Whole, float]:
    """What each judge says of the stretch after what it learned from.

    Returns quantiles [N,P] of what the linear part leaves there, its true values [N], their steps ahead [N], and how
    many of them are worth as much as independent ones.
    """
    said, true, steps = [], [], []
    independent = 0.0
    for number, inputs in counted(enumerate(series), len(series), partial(on_progress, "judging")):
        outputs, known = _outputs_of(network, inputs, places)
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


def _outputs_of(network: Ensemble, inputs: Inputs, places: int) -> tuple[Tensor, Tensor | None]:
    """The outputs [T,M,H] over a series, and its columns known in the future [T,h,K]."""
    with torch.no_grad():
        outputs, _ = network.states(padded([inputs.x]))
    known = known_of(inputs, places)
    return outputs[:, 0], torch.from_numpy(known.astype(np.float32)) if known.shape[2] else None


def final_states(network: Ensemble, inputs: Sequence[Inputs], on_progress: PartProgress = no_progress) -> States:
    """The state of the networks after the last step of each series."""
    with torch.no_grad():
        along = counted(inputs, len(inputs), partial(on_progress, "running along the series"))
        each = [network.states(padded([one.x]))[1] for one in along]
    return tuple(torch.cat(parts, 1).numpy() for parts in zip(*each, strict=True))
