"""What removing a unit costs: the network with single units clamped to their means, all variants side by side."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.engines import Arguments, choose
from gatework.layers import Recurrent
from gatework.notation import parse
from gatework.text.model import LanguageModel
from gatework.training.metrics import bits

STREAMS, STEPS = 8, 1200  # of the text that the cost is measured on
WARM = 50  # tokens of each stream that do not count: its start has no past


@dataclass(frozen=True)
class Clamp:
    """A unit of a named value, "l0.c" and 17, and the value that it is clamped to."""

    key: str
    unit: int
    value: float


def costs(model: LanguageModel, ids: Tensor, clamps: Sequence[Clamp]) -> list[float]:
    """The bits per token that a text [T] of ids costs more when each unit by itself is clamped to its value."""
    streams = max(1, min(STREAMS, len(ids) // (2 * WARM + 1)))
    steps = min(STEPS, (len(ids) - 1) // streams)
    inputs = ids[: streams * steps].view(streams, steps).T  # [T,S]
    targets = ids[1 : streams * steps + 1].view(streams, steps).T
    variants: list[Clamp | None] = [None, *clamps]
    with torch.inference_mode():
        output = clamped(model.recurrent, model._embedded(inputs), variants)  # [T,S*N,H]
        lost = torch.stack([_surprise(model, each, targets) for each in torch.split(output, streams, 1)])
    more = lost[1:] - lost[0]
    return [bits(value) for value in more.tolist()]


def _surprise(model: LanguageModel, output: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log p in nats, after the first steps."""
    begin = WARM if len(targets) > 2 * WARM else 0
    logits = model.output(output[begin:])
    return F.cross_entropy(logits.flatten(0, 1), targets[begin:].flatten())


def clamped(recurrent: Recurrent, x: Tensor, variants: Sequence[Clamp | None]) -> Tensor:
    """The output [T,B*N,H] of all layers on x [T,B,I] for N variants of the network, one after another along the batch.

    A unit is clamped by a mask of 0 and its value added, where training has dropout masks and taps: on any engine.
    """
    B = x.shape[1]
    x = x.repeat(1, len(variants), 1)
    for layer in range(recurrent.num_layers):
        by_name: dict[str, list[tuple[int, Clamp]]] = defaultdict(list)
        for index, clamp in enumerate(variants):
            if clamp is not None and clamp.key.startswith(f"l{layer}."):
                by_name[clamp.key.split(".")[1]].append((index, clamp))
        y = _clamped_layer(recurrent, layer, x, by_name, B)
        x = y + x if recurrent.residual and layer > 0 else y
    return x


def _clamped_layer(
    recurrent: Recurrent, layer: int, x: Tensor, by_name: dict[str, list[tuple[int, Clamp]]], streams: int
) -> Tensor:
    """One layer forwards, with units of the named values clamped in some of the variants."""
    plain, inputs = recurrent.outside_training(layer, x)
    cell = recurrent.cell
    program = parse(
        recurrent.equations,
        output=cell.output,
        constants=cell.constants,
        start=cell.start,
        dropout=tuple(by_name),
        taps=tuple(by_name),
        zoneout=plain.options.zoneout,
    )
    masks: dict[str, Tensor] = {}
    for name, clamps in by_name.items():
        keep = x.new_ones(1, x.shape[1], recurrent.units[layer][name])
        add = torch.zeros_like(keep)
        for index, clamp in clamps:
            rows = slice(index * streams, (index + 1) * streams)
            keep[:, rows, clamp.unit], add[:, rows, clamp.unit] = 0.0, clamp.value
        masks |= {f"dropout {name}": keep, f"tap {name}": add}
    start = recurrent.start(layer, "", x.shape[1])
    run = choose(recurrent.engine, x.device, x.dtype, recurrent.lacks).run
    output: Tensor = recurrent.weights(layer, "")(
        lambda weights: run(Arguments(program, weights, x, start, start=start, inputs=inputs | masks))[0]
    )
    return output
