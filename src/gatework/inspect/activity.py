"""What a language model's units do on a text: the states of every step, and how surprised it was."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.inspect.saturation import Saturation
from gatework.layers import Recurrent
from gatework.layers.record import Trace, record
from gatework.runs.overflow import check_answer
from gatework.runs.progress import PartProgress, no_progress
from gatework.text.model import LanguageModel

STEPS = 512  # between two hand-overs of the state


@dataclass(frozen=True)
class Activity:
    """What was recorded along a text of T tokens.

    values: "l0.h" -> [T,H], the value after each token. log_p [T-1]: the natural logarithm of the probability that
    was given to each token but the first. saturation: of the gates.
    """

    values: dict[str, Tensor]
    log_p: Tensor
    saturation: Saturation

    def state(self, recurrent: Recurrent, step: int) -> tuple[Tensor, ...] | None:
        """The states [L,1,H] before a step, None before the first."""
        if step == 0:
            return None
        return tuple(
            torch.stack([self.values[f"l{layer}.{state.name}"][step - 1] for layer in range(recurrent.num_layers)])[
                :, None
            ]
            for state in recurrent.program.states
        )


def watched(
    model: LanguageModel,
    ids: Tensor,
    names: Sequence[str],
    gates: Sequence[str] = (),
    *,
    what: str = "reading",
    progress: PartProgress = no_progress,
) -> Activity:
    """Reads ids [T] as one stream; records the named values of every layer, and counts how often gates are open."""
    heard, log_p, state = Recorder(names, gates), [], None
    for first in range(0, len(ids), STEPS):
        part = ids[first : first + STEPS]
        with torch.inference_mode(), record(model.recurrent, *heard.all) as trace:
            logits, state = model.logits(part[:, None], state)
        check_answer(logits, model)
        following = ids[first + 1 : first + 1 + len(part)]
        log_p.append(-F.cross_entropy(logits[: len(following), 0], following, reduction="none"))
        heard.add(trace)
        progress(what, first + len(part), len(ids))
    return heard.activity(torch.cat(log_p))


class Recorder:
    """Gathers what traces hold, one after another: values of every step, of gates how often they are open."""

    def __init__(self, names: Sequence[str], gates: Sequence[str]) -> None:
        self.names, self.gates = names, gates
        self.all = tuple(dict.fromkeys([*names, *gates]))
        self.pieces: dict[str, list[Tensor]] = {}
        self.saturation = Saturation()

    def add(self, trace: Trace) -> None:
        """The values [T,1,H] of more steps."""
        for key, value in trace.items():
            name = key.split(".")[1]
            if name in self.names:
                self.pieces.setdefault(key, []).append(value[:, 0].clone())
            if name in self.gates:
                self.saturation.add(key, value[:, 0])

    def activity(self, log_p: Tensor) -> Activity:
        """All of it, joined."""
        return Activity({key: torch.cat(parts) for key, parts in self.pieces.items()}, log_p, self.saturation)
