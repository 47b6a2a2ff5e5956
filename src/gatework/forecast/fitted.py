"""What is fitted to series: a linear part, networks, how far each is trusted. It needs no torch, networks aside."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gatework.cells import Cell
from gatework.forecast.base import Numbers
from gatework.forecast.linear import Linear
from gatework.forecast.options import Options

HOLDOUT_MEMBERS = (0.7,)  # networks that learn from such a share of each series, and are judged on what follows

Floats = npt.NDArray[np.float32]
States = tuple[Floats, ...]  # of the networks after the last step of each series, [1,B,M*H] each


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
class Sizes:
    """What networks read: so many numbers at each step, so many columns known in the future."""

    inputs: int
    known: int


class Networks(Protocol):
    """M networks of H units as a forecast uses them, run by torch or without it.

    keeps_output: whether the first of the states is the output, as of most cells. last_output: at the last step of
    x [T,I], from the states [1,1,M*H] before it or the start, [M,H]. ahead: the quantiles [h,P] that the networks
    expect on average, those that judge aside, from outputs [M,H] and columns known in the future [h,K]; raises
    InputError where they are no numbers.
    """

    @property
    def members(self) -> int: ...
    @property
    def hidden(self) -> int: ...
    @property
    def keeps_output(self) -> bool: ...
    def last_output(self, x: Floats, state: States | None) -> Floats: ...
    def ahead(self, output: Floats, known: Floats) -> Floats: ...


@dataclass(frozen=True)
class Fitted:
    """What forecasts: residual quantiles = linear + center + factor * (spread), see `residual_quantiles`.

    offsets [h,P]: quantiles of what the linear part leaves, around its median. trust: the share of the network that
    counts. factors [P]: by how much each quantile is moved away from the median. linear_score, network_score: the
    absolute error that is left of the base's after the linear part, and of that after the network.
    """

    linear: Linear
    network: Networks
    offsets: Numbers
    trust: float
    factors: Numbers
    linear_score: float
    network_score: float
