"""What the trials of 1997 to 2002 share: a stop that is a test, biases that start apart, and a learning rule."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatework.cells import cells
from gatework.lab.learning import Stop
from gatework.layers import Recurrent


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Tested(Stop):
    """Training ends when a test passes; it is tried wherever the stop rule holds for the sequences just seen."""

    passes: Callable[[], bool] = _never

    def holds(self, errors: Tensor, wrong: Tensor) -> bool:
        return super().holds(errors, wrong) and self.passes()


@torch.no_grad()
def start_biases(layer: Recurrent, biases: Mapping[str, Sequence[float]]) -> None:
    """Starts biases of the first layer unit by unit: {"b_o": [-1, -2]} opens two memory cells one after the other."""
    for name, values in biases.items():
        layer.get_parameter(f"l0.{name}").copy_(torch.tensor(values))


def cut(name: str) -> str:
    """A cell's equations with the learning rule of 1997 to 2002: errors flow back along the memory alone.

    What gates and candidate read of the step before, and by peepholes of the memory, passes no gradient.
    """
    inside = re.sub(r"@ (h\b|prev\(\w+\))", r"@ stop_gradient(\1)", cells[name].equations)
    return re.sub(r"(p_\w+ \*) c\b", r"\1 stop_gradient(c)", inside)
