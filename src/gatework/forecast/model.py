"""The network: several recurrent networks side by side, which predict quantiles of the base forecast's error."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gatework.cells import Cell, find_cell
from gatework.errors import InputError
from gatework.forecast.fitted import HOLDOUT_MEMBERS, Fitted, Floats, States
from gatework.layers import Recurrent
from gatework.runs.overflow import check_answer

KNOWN_UNITS = 8  # hidden units that bring together the state and the columns known in the future


class Ensemble(nn.Module):
    """M networks of H units each, with the same inputs and nothing else in common, computed as one of M*H units.

    The recurrent weights have M blocks on their diagonal, and zeros elsewhere which no gradient moves. From the state
    at an origin each network predicts all h steps at once, P quantiles of each: an offset for all origins, and what the
    state and the columns known in the future add to it, nothing at first.

    forward(x [T,B,I], known [T,B,h,K], state, lengths) -> (quantiles [T,B,M,h,P], state)
    """

    def __init__(
        self,
        cell: str | Cell,
        inputs: int,
        offsets: Tensor,
        *,
        members: int,
        hidden: int,
        known: int = 0,
        dropout: float = 0.3,
        engine: str = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        h, P = offsets.shape
        self.members, self.hidden, self.inputs, self.known_inputs = members, hidden, inputs, known
        tied = bool(find_cell(cell).program.tied)  # such a cell adds x to its state, so that I = H
        self.lift = nn.Linear(inputs, members * hidden) if tied else None
        self.recurrent = _side_by_side(cell, hidden if tied else inputs, hidden, members, seed, engine)
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(members, hidden, h * P))
        self.offset = nn.Parameter(offsets.expand(members, h, P).clone())
        self.known = nn.Parameter(torch.randn(members, hidden + known, KNOWN_UNITS) * hidden**-0.5) if known else None
        self.mixed = nn.Parameter(torch.zeros(members, KNOWN_UNITS, P)) if known else None

    def states(
        self, x: Tensor, state: "tuple[Tensor, ...] | None" = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The outputs [T,B,M,H] of the recurrent networks, and their state."""
        output, state = self.recurrent(x if self.lift is None else self.lift(x), state, lengths=lengths)
        return self.dropout(output).reshape(*output.shape[:-1], self.members, self.hidden), tuple(state)

    def quantiles(self, outputs: Tensor, known: Tensor | None = None, which: slice = slice(None)) -> Tensor:
        """Quantiles [...,M,h,P] from outputs [...,M,H] and known [...,h,K], of the members in `which`."""
        weight, offset = self.weight[which], self.offset[which]
        result: Tensor = torch.einsum("...mh,mhq->...mq", outputs[..., which, :], weight)
        result = result.reshape(*result.shape[:-1], *offset.shape[1:]) + offset
        if self.known is None or self.mixed is None or known is None:
            return result
        by_state, by_known = self.known[which, : self.hidden], self.known[which, self.hidden :]
        units = torch.einsum("...mh,mhu->...mu", outputs[..., which, :], by_state)[..., None, :]
        units = torch.tanh(units + torch.einsum("...kc,mcu->...mku", known, by_known))
        added: Tensor = torch.einsum("...mku,muq->...mkq", units, self.mixed[which])
        return result + added

    def forward(
        self,
        x: Tensor,
        known: Tensor | None = None,
        state: "tuple[Tensor, ...] | None" = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        outputs, state = self.states(x, state, lengths)
        return self.quantiles(outputs, known), state

    @property
    def keeps_output(self) -> bool:
        """Whether the first of the states is the output."""
        program = self.recurrent.program
        return program.output == program.states[0].name

    @torch.no_grad()
    def last_output(self, x: Floats, state: States | None) -> Floats:
        """Of one series: see gatework.forecast.fitted.Networks."""
        before = None if state is None else tuple(map(torch.from_numpy, state))
        output, _ = self.states(torch.from_numpy(x)[:, None], before)
        made: Floats = output[-1, 0].numpy()
        return made

    @torch.no_grad()
    def ahead(self, output: Floats, known: Floats) -> Floats:
        """Of one series: see gatework.forecast.fitted.Networks."""
        columns = torch.from_numpy(known) if known.shape[1] else None
        answer = self.quantiles(torch.from_numpy(output), columns, slice(len(HOLDOUT_MEMBERS), None))
        check_answer(answer, self)
        made: Floats = answer.mean(0).numpy()
        return made


def ensemble_of(fitted: Fitted) -> Ensemble:
    """The networks of what was fitted, or loaded, with torch."""
    if not isinstance(fitted.network, Ensemble):
        raise InputError("these networks run without torch, and only forecast: gw.load opens their run with it")
    return fitted.network


def _side_by_side(cell: str | Cell, inputs: int, hidden: int, members: int, seed: int, engine: str) -> Recurrent:
    """A layer of M*H units whose recurrent matrices link only units of one member; each has a seed of its own."""
    tied = bool(find_cell(cell).program.tied)
    whole = Recurrent(cell, members * inputs if tied else inputs, members * hidden, engine=engine)
    shapes = {parameter.name: parameter.shape for parameter in whole.program.parameters}
    parts = []
    for member in range(members):
        torch.manual_seed(seed * 1000 + member)
        parts.append(_weights_of(Recurrent(cell, inputs, hidden)))
    with torch.no_grad():
        for name, tensor in _weights_of(whole).items():
            values = [part[name] for part in parts]
            if len(shapes[name]) == 2 and "I" not in shapes[name]:
                tensor.copy_(_blocks(values))
                mask = _blocks([torch.ones_like(value) for value in values])
                tensor.register_hook(lambda gradient, mask=mask: gradient * mask)  # type: ignore[no-untyped-call]
            else:
                tensor.copy_(torch.cat([value.expand(hidden, *value.shape[1:]) for value in values]))
    return whole


def _weights_of(layer: Recurrent) -> dict[str, Tensor]:
    """The parameters of a single layer, by their names in the equations."""
    return {name.removeprefix("l0."): parameter for name, parameter in layer.named_parameters()}


def _blocks(matrices: Sequence[Tensor]) -> Tensor:
    """Matrices along the diagonal of one."""
    made: Tensor = torch.block_diag(*matrices)  # type: ignore[no-untyped-call]
    return made


def pinball(quantiles: Tensor, targets: Tensor, probabilities: Tensor, mask: Tensor) -> Tensor:
    """Twice the pinball loss of quantiles [...,h,P] for targets [...,h], the mean where mask [...,h] is 1.

    2 max(p (y - q), (p - 1) (y - q)) = |y - q| + (2 p - 1) (y - q), the mean over all probabilities p [P] (Koenker &
    Bassett 1978).
    """
    error = targets[..., None] - quantiles
    loss = error.abs().mean(-1) + error @ ((2 * probabilities - 1) / len(probabilities))
    return (loss * mask).sum() / mask.sum().clamp(min=1)


def one_cycle(step: int, steps: int, peak: float, rise: float = 0.3) -> float:
    """The rate of a step: up to the peak and down to nothing, each as half a cosine (Smith & Topin 2019)."""
    up = rise * steps
    way = step / up if step < up else 1 - (step - up) / (steps - up)
    return peak * float(0.5 - 0.5 * torch.cos(torch.tensor(torch.pi * way)))
