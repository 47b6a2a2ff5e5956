"""What a language model's units do on a text: the states of every step, and how surprised it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gatework.inspect.saturation import Saturation
from gatework.layers import Recurrent
from gatework.recording import record
from gatework.tasks.language_model import LanguageModel

STEPS = 512  # between two hand-overs of the state
Progress = Callable[[str, int, int], None]  # what is done, how much of how much


def silent(what: str, done: int, total: int) -> None:
    """Reports to nobody."""


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
    progress: Progress = silent,
) -> Activity:
    """Reads ids [T] as one stream; records the named values of every layer, and counts how often gates are open."""
    pieces: dict[str, list[Tensor]] = {}
    log_p: list[Tensor] = []
    saturation, state = Saturation(), None
    for first in range(0, len(ids), STEPS):
        part = ids[first : first + STEPS]
        with torch.inference_mode(), record(model.recurrent, *dict.fromkeys([*names, *gates])) as trace:
            logits, state = model.logits(part[:, None], state)
        following = ids[first + 1 : first + 1 + len(part)]
        log_p.append(-F.cross_entropy(logits[: len(following), 0], following, reduction="none"))
        for key, value in trace.items():
            name = key.split(".")[1]
            if name in names:
                pieces.setdefault(key, []).append(value[:, 0].clone())
            if name in gates:
                saturation.add(key, value[:, 0])
        progress(what, first + len(part), len(ids))
    return Activity({key: torch.cat(parts) for key, parts in pieces.items()}, torch.cat(log_p), saturation)
