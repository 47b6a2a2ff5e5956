"""Gradient flow (Hochreiter 1991; Hochreiter & Schmidhuber 1997): how much of a gradient is left k steps back."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gatework.lab.experiment import Experiment, Progress, Size, Trial, Variant
from gatework.lab.learning import rounded, stream
from gatework.layers import Recurrent
from gatework.layers.gradient_flow import GradientFlow, gradient_flow

SHOWN = (10, 50, 100)  # lags in the table
FACTOR = 10.0  # within which the gradient is said to stay


def _network(variant: Variant, options: Mapping[str, Any], seed: int) -> Recurrent:
    """The variant's layer; with `radius` its recurrent matrix is a rotation times that number."""
    torch.manual_seed(seed)
    layer = Recurrent(variant.cell, options["inputs"], options["hidden"], init=options.get("init"))
    if "radius" in options:
        with torch.no_grad():
            layer.get_parameter("l0.U_h").mul_(options["radius"])
    return layer


def _measured(layer: Recurrent, options: Mapping[str, Any], seed: int) -> GradientFlow:
    """The flow back from the last step of sequences of noise."""
    x = torch.randn(options["lags"] + 1, options["sequences"], options["inputs"], generator=stream("noise", seed))
    return gradient_flow(layer, options["noise"] * x)


def _memory(layer: Recurrent, flow: GradientFlow) -> str:
    """The state that carries the memory: the one with a direct path, or else the output."""
    return next(iter(flow.direct), f"l0.{layer.program.output}")


def _trial(variant: Variant, seed: int, size: Size, progress: Progress) -> Trial:
    options = variant.at(size)
    progress(f"{options['sequences']} sequences, {options['lags']} steps back")
    layer = _network(variant, options, seed)
    flow = _measured(layer, options, seed)
    key = _memory(layer, flow)
    followed = flow.direct if options.get("path") == "direct" else flow.norms
    left = (followed[key] / flow.norms[key][0]).double().median(1).values.tolist()  # [K]
    figures = {f"left at {lag}": left[lag] for lag in SHOWN if lag < len(left)}
    return Trial(1 / FACTOR <= left[-1] <= FACTOR, figures, [(lag, rounded(value)) for lag, value in enumerate(left)])


def _picture(figure: Any, trials: Mapping[str, Sequence[Trial]]) -> None:
    """The gradient left by lag, the first seed of each network."""
    axis = figure.add_subplot()
    for label, (first, *_) in trials.items():
        axis.plot(*zip(*first.curve, strict=True), "--" if "direct" in label else "-", label=label)
    axis.set(yscale="log", ylim=(1e-12, 1e6), xlabel="steps back k", ylabel="gradient k steps back / gradient here")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, frameon=False)


SETTING = {"hidden": 64, "inputs": 8, "noise": 1e-6, "lags": 100, "sequences": 32, "tiny": {"hidden": 16}}

EXPERIMENT = Experiment(
    name="gradient_flow",
    title="Gradient flow",
    task=(
        "Networks at the start of training read 101 steps of faint noise. A loss of the last step is traced back: how "
        "large is its gradient by the state k steps before, measured against that by the last state? The state is the "
        "one with a direct path to itself (c of an LSTM, h of a GRU), of an RNN its h. All have 64 units."
    ),
    criterion="the gradient 100 steps back is within a factor of ten of the gradient at the last step",
    source=(
        "Hochreiter 1991 and Hochreiter & Schmidhuber 1997, section 3 (the analysis, read in the source: error flow "
        "scales by a factor per step, constant in the carousel); 0.9^100 and 1.1^100 are arithmetic"
    ),
    batched="nothing is trained; the median over 32 sequences of noise. Chrono is that of Tallec & Ollivier 2018.",
    shows=(
        "The gradient of an RNN falls or rises by a constant factor a step. Along the direct path of a memory without "
        "a forget gate, the one that the learning rule of 1997 follows, nothing is lost; the whole gradient rises "
        "there, since the memory also feeds itself through h and the candidate. Forget gates make it fall until they "
        "are opened: biases drawn by chrono keep it, over lags of the length asked for, in an LSTM as in a GRU."
    ),
    variants=(
        Variant("lstm, forget gate, chrono(200)", "lstm", {**SETTING, "init": "chrono(200)"}),
        Variant("lstm, forget gate, b_f = 1", "lstm", SETTING),
        Variant(
            "lstm, no forget gate, direct path",
            "lstm_no_forget",
            {**SETTING, "path": "direct"},
            published="constant",
        ),
        Variant("lstm, no forget gate", "lstm_no_forget", SETTING),
        Variant("gru", "gru", SETTING),
        Variant("gru, chrono(200)", "gru", {**SETTING, "init": "chrono(200)"}),
        Variant("rnn, 0.9 x rotation", "rnn", {**SETTING, "radius": 0.9}, published="0.9^100 = 2.7e-5"),
        Variant("rnn, 1.1 x rotation", "rnn", {**SETTING, "radius": 1.1}, published="1.1^100 = 1.4e4"),
    ),
    seeds=10,
    trial=_trial,
    picture=_picture,
    drawn_seeds=1,
    axes=("steps back", "gradient left"),
)
