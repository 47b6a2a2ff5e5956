"""The rival of a language model: AWD-LSTM as a script of plain torch has it (Merity, Keskar & Socher 2018).

Layers of torch.nn.LSTM whose recurrent weights are dropped, one dropout mask for all steps, the embedding's weights
for the output too, a penalty for large outputs (AR) and for outputs that change (TAR); learnt by Adam, as the authors
did with characters, not by averaged gradient descent (ASGD).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ALPHA, BETA = 2.0, 1.0  # weights of AR and TAR
EMBEDDING, INPUT, BETWEEN, OUTPUT, RECURRENT = 0.1, 0.4, 0.25, 0.4, 0.5  # dropout of the paper
DECAY = 1.2e-6  # of weights
CLIP = 0.25  # largest norm of the gradient
DROPS = (0.5, 0.7)  # shares of the time after each of which the rate is divided by ten, as for characters (2018b)

Pair = tuple[Tensor, Tensor]  # h and c [1,B,H]
State = list[Pair]  # of each layer


@dataclass(frozen=True)
class Script:
    """What may be chosen of it. strength: of all that regularises; 1 is the paper's, 0 none. stepped: the rate falls as
    the paper has it, otherwise as gatework's."""

    strength: float = 1.0
    stepped: bool = True


class AwdLstm(nn.Module):
    """forward(inputs [T,B], targets [T,B], state) -> (loss in nats with AR and TAR, state); logits: [T,B,V], state."""

    def __init__(self, vocabulary_size: int, hidden: int, layers: int, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.embedding = nn.Embedding(vocabulary_size, hidden)
        self.layers = nn.ModuleList(nn.LSTM(hidden, hidden) for _ in range(layers))
        self.output = nn.Linear(hidden, vocabulary_size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)
        self.output.weight = self.embedding.weight

    def logits(self, inputs: Tensor, state: State | None = None, _lengths: object = None) -> tuple[Tensor, State]:
        """As they are in use; what lies beyond the lengths is read too, and counts for nothing."""
        output, _, state = self._outputs(inputs, state)
        return self.output(output), state

    def forward(self, inputs: Tensor, targets: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        output, raw, state = self._outputs(inputs, state)
        loss = F.cross_entropy(self.output(output).flatten(0, 1), targets.flatten())
        if self.strength:
            loss = loss + self.strength * ALPHA * output.square().mean()
            loss = loss + self.strength * BETA * (raw[1:] - raw[:-1]).square().mean()
        return loss, state

    def _outputs(self, inputs: Tensor, state: State | None) -> tuple[Tensor, Tensor, State]:
        """Of the last layer [T,B,H], dropped and as they are, and the new state."""
        x = F.embedding(inputs, self._dropped(self.embedding.weight, EMBEDDING, (-1, 1)))
        dropped, raw, new = self._dropped(x, INPUT, (1, *x.shape[1:])), x, []
        for place, layer in enumerate(self.layers, 1):
            raw, carried = self._layer(layer, dropped, None if state is None else state[place - 1])
            new.append(carried)
            dropped = self._dropped(raw, OUTPUT if place == len(self.layers) else BETWEEN, (1, *raw.shape[1:]))
        return dropped, raw, new

    def _layer(
        self, layer: Any, x: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What nn.LSTM calls, with U dropped: the output [T,B,H] and the new state."""
        U = self._dropped(layer.weight_hh_l0, RECURRENT, layer.weight_hh_l0.shape)
        start = x.new_zeros(1, x.shape[1], x.shape[2])
        weights = [layer.weight_ih_l0, U, layer.bias_ih_l0, layer.bias_hh_l0]
        output, h, c = torch.lstm(x, state or (start, start), weights, True, 1, 0.0, self.training, False, False)
        return output, (h, c)

    def _dropped(self, values: Tensor, share: float, mask: Sequence[int]) -> Tensor:
        """Values with a share of them set to 0, by a mask of this shape, those left larger by so much; in training."""
        share *= self.strength
        if not (self.training and share):
            return values
        shape = [size if wanted == -1 else wanted for size, wanted in zip(values.shape, mask, strict=True)]
        return values * torch.empty(shape).bernoulli_(1 - share).div_(1 - share)


class Learner:
    """Makes its updates, as `gatework.training.update.Learner` makes those of gatework's models."""

    def __init__(self, network: AwdLstm, script: Script, rate: float, steps: int) -> None:
        self.model, self.script, self.rate, self.steps = network, script, rate, steps
        self.state: State | None = None
        self.optimizer = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=DECAY)

    def update(self, group: Sequence[tuple[Tensor, Tensor]], step: int, rate: float, _: Sequence[float] = ()) -> None:
        """Make step number `step` from a batch; rate: gatework's."""
        [(inputs, targets)] = group
        self.model.train()
        torch.manual_seed(step)
        self.optimizer.zero_grad()
        loss, state = self.model(inputs, targets, self.state)
        loss.backward()
        self.state = [(h.detach(), c.detach()) for h, c in state]
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        if self.script.stepped:
            rate = self.rate * 0.1 ** sum(step >= share * self.steps for share in DROPS)
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        self.optimizer.step()
