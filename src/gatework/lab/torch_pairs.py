"""The rival of `gw.EncoderDecoder`: the encoder-decoder with attention that one writes in plain torch.

nn.LSTM in both directions over packed sequences, nn.LSTM as the decoder, global attention after it by the general
score (Luong, Pham & Manning 2015), teacher forcing, AdamW with a one-cycle rate, beam search as a loop over steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

IGNORED = -100  # pads targets [T,B]
RISING = 0.3  # share of the steps in which the rate rises
CLIP = 1.0  # largest norm of the gradient
DECAY = 0.01  # of weights

Source = tuple[Tensor, Tensor]  # tokens [S,B], lengths [B]
State = tuple[Tensor, Tensor]  # h and c [L,B,H]


@dataclass(frozen=True)
class Memory:
    """What the decoder reads of a source: the encoder's output [B,S,M], where it is padding [B,S], the first state."""

    values: Tensor
    padding: Tensor
    state: State


class TorchPairs(nn.Module):
    """forward(source, targets [T,B]) -> mean loss of a target symbol in nats; targets end with `end`, padded by -100.

    sources, targets: how many symbols either side has; one more of the targets, `end`, begins and ends one.
    """

    def __init__(
        self,
        sources: int,
        targets: int,
        hidden: int = 256,
        *,
        layers: int = 1,
        embedding: int = 128,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.end, self.label_smoothing = targets, label_smoothing
        between = dropout if layers > 1 else 0.0
        self.source_embedding = nn.Embedding(sources, embedding)
        self.target_embedding = nn.Embedding(targets + 1, embedding)
        self.encoder = nn.LSTM(embedding, hidden // 2, layers, bidirectional=True, dropout=between)
        self.decoder = nn.LSTM(embedding, hidden, layers, dropout=between)
        self.score = nn.Linear(hidden, hidden, bias=False)
        self.combine = nn.Linear(2 * hidden, hidden)
        self.output = nn.Linear(hidden, targets + 1)
        self.dropout = nn.Dropout(dropout)

    def encode(self, source: Source) -> Memory:
        tokens, lengths = source
        packed = pack_padded_sequence(self.dropout(self.source_embedding(tokens)), lengths.cpu(), enforce_sorted=False)
        output, (h, c) = self.encoder(packed)
        values, _ = pad_packed_sequence(output, batch_first=True)
        padding = torch.arange(values.shape[1]) >= lengths[:, None]
        return Memory(self.dropout(values), padding, (_both(h), _both(c)))

    def decode(self, memory: Memory, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """inputs [T,B] -> logits [T,B,V+1] and the new state."""
        output, state = self.decoder(self.dropout(self.target_embedding(inputs)), state)
        queries = output.transpose(0, 1)  # [B,T,H]
        scores = self.score(queries) @ memory.values.transpose(1, 2)  # [B,T,S]
        weights = scores.masked_fill(memory.padding[:, None], -torch.inf).softmax(-1)
        combined = torch.tanh(self.combine(torch.cat([queries, weights @ memory.values], -1)))
        return self.output(self.dropout(combined)).transpose(0, 1), state

    def forward(self, source: Source, targets: Tensor) -> Tensor:
        memory = self.encode(source)
        begin = torch.full_like(targets[:1], self.end)
        inputs = torch.cat([begin, targets[:-1].masked_fill(targets[:-1] == IGNORED, self.end)])
        logits, _ = self.decode(memory, inputs, memory.state)
        return F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, label_smoothing=self.label_smoothing
        )

    @torch.no_grad()
    def search(self, source: Source, beams: int, longest: int) -> list[tuple[int, ...]]:
        """The best target of each source by the mean log probability of its symbols, at most so many of them."""
        batch, memory = source[0].shape[1], self.encode(source)
        rows = torch.arange(batch).repeat_interleave(beams)
        memory = Memory(memory.values[rows], memory.padding[rows], _rows(memory.state, rows))
        state, tokens = memory.state, torch.full((batch * beams, 1), self.end)
        scores = torch.full((batch, beams), -torch.inf)
        scores[:, 0] = 0
        ended = torch.zeros(batch, beams, dtype=torch.bool)
        for _ in range(longest + 1):
            logits, state = self.decode(memory, tokens[:, -1:].T, state)
            steps = logits[0].log_softmax(-1).view(batch, beams, -1)
            steps[ended] = -torch.inf
            steps[..., self.end][ended] = 0
            scores, chosen = (scores[..., None] + steps).flatten(1).topk(beams)
            parents, symbols = chosen // steps.shape[-1], chosen % steps.shape[-1]
            ended = ended.gather(1, parents) | (symbols == self.end)
            rows = (torch.arange(batch)[:, None] * beams + parents).flatten()
            tokens, state = torch.cat([tokens[rows], symbols.view(-1, 1)], 1), _rows(state, rows)
            if bool(ended.all()):
                break
        lengths = 1 + (tokens[:, 1:] != self.end).sum(1).view(batch, beams)
        whole = ended | ~ended.any(1, keepdim=True)  # what has no end counts where nothing has
        best = (scores / lengths).masked_fill(~whole, -torch.inf).argmax(1)
        found = tokens.view(batch, beams, -1)[torch.arange(batch), best, 1:]
        return [tuple(symbol for symbol in row if symbol != self.end) for row in found.tolist()]


def _both(state: Tensor) -> Tensor:
    """The last states of both directions [2L,B,H/2] side by side: [L,B,H]."""
    return torch.cat([state[0::2], state[1::2]], -1)


def _rows(state: State, rows: Tensor) -> State:
    h, c = state
    return h[:, rows], c[:, rows]


class Learner:
    """Makes its updates: step number `step` of so many, from one batch, which returns the loss."""

    def __init__(self, model: TorchPairs, rate: float, steps: int) -> None:
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, total_steps=steps, pct_start=RISING)

    def update(self, source: Source, targets: Tensor) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.model(source, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())
