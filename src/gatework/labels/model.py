"""The network from a sequence to its label: recurrent layers, a summary over time, a linear layer.

As the plan says: convolutions that shorten the sequence first, a convolutional branch, several networks averaged.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.labels.convolution import Branch, Front
from gatework.labels.data.batches import Input
from gatework.labels.options import Kind, Options
from gatework.labels.plan import Plan
from gatework.layers import Recurrent
from gatework.layers.further import recurrent_of
from gatework.runs.parts import IGNORED


class SequenceModel(nn.Module):
    """Predicts a label from a sequence, or one from each of its steps.

    width: I of the input, or V of tokens [T,B], which an embedding stands for, the unknown token by 0.
    sizes: (K,) classes, or (1,) number; of several targets those of each.

    scores((x [T,B,I], lengths [B])) -> [B,K], for tags [T,B,K]: unnormalised log probabilities, or the number; of
    several targets one after the other.
    forward(input, targets, None) -> (mean loss, None): cross-entropy in nats, each class by its weight in
    class_weights [K] if they are set; for numbers the squared error; of several targets the mean.
    """

    def __init__(
        self,
        options: Options,
        width: int,
        sizes: Sequence[int],
        *,
        tokens: bool,
        kind: Kind,
        plan: Plan | None = None,
    ) -> None:
        super().__init__()
        plan = plan or Plan.plain(options)
        self.kind, self.sizes = kind, tuple(sizes)
        self.summaries = () if kind == "tag" else tuple(plan.summary.split("+"))
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None, persistent=False)
        self.embedding = nn.Embedding(width, options.embedding, padding_idx=0) if tokens else None
        read = options.embedding if tokens else width
        self.front = Front(read, options.hidden, plan.stages) if plan.stages and kind != "tag" else None
        read = read if self.front is None else options.hidden
        self.recurrent = _recurrent(options, read)
        size = self.recurrent.output_size
        self.attention = Attention(size) if "attention" in self.summaries else None
        self.branch = Branch(read, options.hidden) if plan.branch == "fcn" and kind != "tag" else None
        size = size * (len(self.summaries) or 1) + (0 if self.branch is None else self.branch.size)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(size, sum(sizes))

    def scores(self, batch: Input) -> Tensor:
        x, lengths = batch[:2]
        if self.embedding is not None:
            x = self.embedding(x)  # [T,B,E]
            x = self.dropout(x)
        if self.front is not None:
            x, lengths = self.front(x, lengths)
        equal = bool((lengths == len(x)).all())
        output, _ = self.recurrent(x, lengths=None if equal else lengths)
        if self.kind != "tag":
            output = self.summarised(output, lengths)  # [B,S]
        if self.branch is not None:
            output = torch.cat([output, self.branch(x, lengths)], -1)
        scores: Tensor = self.output(self.dropout(output))
        return scores

    def summarised(self, output: Tensor, lengths: Tensor) -> Tensor:
        """[T,B,D*H] to [B,D*H] for each summary, one beside the other; past its length an output is 0."""
        return torch.cat([self._summary(name, output, lengths) for name in self.summaries], -1)

    def _summary(self, name: str, output: Tensor, lengths: Tensor) -> Tensor:
        if name == "attention":
            assert self.attention is not None
            return cast(Tensor, self.attention(output, lengths))
        if name == "mean":
            return output.sum(0) / lengths[:, None]
        if name == "max":
            return output.masked_fill(_outside(lengths, len(output))[..., None], -torch.inf).amax(0)
        last = output[lengths - 1, torch.arange(output.shape[1], device=output.device)]
        if not self.recurrent.bidirectional:
            return last
        forwards, backwards = last.chunk(2, -1)[0], output[0].chunk(2, -1)[1]
        return torch.cat([forwards, backwards], -1)

    def forward(self, batch: Input, targets: Tensor, state: None = None) -> tuple[Tensor, None]:  # noqa: ARG002
        return self.loss(self.scores(batch), targets, *batch[2:]), None

    def loss(self, scores: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean loss of scores, each sequence's by its weight [B] if they have any."""
        if self.kind == "number":
            errors = F.mse_loss(scores, targets.view(scores.shape), reduction="none").mean(-1)
            return (errors if weights is None else errors * weights).mean()
        if len(self.sizes) > 1:
            each = self._surprises(scores, targets)
            return (each if weights is None else each * weights).mean()
        each = F.cross_entropy(
            scores.flatten(0, -2), targets.flatten(), self.class_weights, ignore_index=IGNORED, reduction="none"
        ).view(targets.shape)  # [B], for tags [T,B]
        return (each if weights is None else each * weights).sum() / (targets != IGNORED).sum()

    def _surprises(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy [B], the mean over the targets [B,M]."""
        given = self.class_weights
        weights = [None] * len(self.sizes) if given is None else given.split_with_sizes(self.sizes)
        parts = zip(scores.split_with_sizes(self.sizes, -1), targets.T, weights, strict=True)
        return torch.stack([F.cross_entropy(part, target, w, reduction="none") for part, target, w in parts]).mean(0)


class Ensemble(nn.Module):
    """Networks that learn from the same batches, each by itself; the mean of their probabilities, or numbers, counts.

    scores and forward as of a SequenceModel; in training the loss is the mean of the members'.
    """

    def __init__(self, members: Sequence[SequenceModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def recurrent(self) -> Recurrent:
        """The recurrent layers of one member."""
        return self._each[0].recurrent

    @property
    def _each(self) -> list[SequenceModel]:
        return cast(list[SequenceModel], list(self.members))

    def scores(self, batch: Input) -> Tensor:
        scores = torch.stack([member.scores(batch) for member in self._each])  # [M,B,K]
        if self._each[0].kind == "number":
            return scores.mean(0)
        parts = [part.log_softmax(-1) for part in scores.split_with_sizes(self._each[0].sizes, -1)]
        return torch.cat(parts, -1).logsumexp(0) - math.log(len(scores))

    def forward(self, batch: Input, targets: Tensor, state: None = None) -> tuple[Tensor, None]:
        if not self.training:
            return self._each[0].loss(self.scores(batch), targets, *batch[2:]), None
        return torch.stack([member(batch, targets, state)[0] for member in self._each]).mean(), None


Network = SequenceModel | Ensemble


def _recurrent(options: Options, width: int) -> Recurrent:
    dropout = options.dropout if options.layers > 1 else 0.0
    chosen = {"dropout": dropout, "bidirectional": options.bidirectional, "engine": options.engine}
    return recurrent_of(options.cell, (width, options.hidden, options.layers), options.recurrent, **chosen)


def _outside(lengths: Tensor, steps: int) -> Tensor:
    """Which of so many steps are past each length, bool [T,B]."""
    return torch.arange(steps, device=lengths.device)[:, None] >= lengths


class Attention(nn.Module):
    """A mean over time whose weights are learnt (Yang et al. 2016): softmax over t of u . tanh(W h_t + b).

    forward(h [T,B,S], lengths [B]) -> [B,S].
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)

    def weights(self, h: Tensor, lengths: Tensor) -> Tensor:
        """The share [T,B] of each step; 0 past a length."""
        scores: Tensor = self.query(torch.tanh(self.projection(h)))[..., 0]  # [T,B]
        return scores.masked_fill(_outside(lengths, len(h)), -torch.inf).softmax(0)

    def forward(self, h: Tensor, lengths: Tensor) -> Tensor:
        return (self.weights(h, lengths)[..., None] * h).sum(0)


def check_model(options: Options, kind: Kind) -> None:
    """Raises InputError or EquationError where a cell, sizes and options contradict; takes no memory."""
    try:
        with torch.device("meta"):
            # I is not known yet; it is taken to be what the cell may want it to be.
            SequenceModel(replace(options, engine="auto"), options.hidden, (2,), tokens=False, kind=kind)
    except (RuntimeError, OverflowError) as error:  # even a tensor without memory has a largest size
        raise InputError(
            f"sizes that no memory holds: {options.hidden} hidden, {options.embedding} embedding"
        ) from error
