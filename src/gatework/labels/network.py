"""A model of labels as a network: a sequence in, the scores of its labels out."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from gatework.cells import find_cell
from gatework.labels.options import Kind, Options
from gatework.labels.plan import BRANCH_KERNELS, FRONT_KERNEL, Plan
from gatework.network import Network, Port, Stack, stack
from gatework.network.steps import (
    LENGTHS,
    Attention,
    Average,
    Convolution,
    Embedding,
    Join,
    Linear,
    LogSoftmax,
    Step,
    Summary,
)

X, SCORES = "x", "scores"


def layers(options: Options, width: int) -> Stack:
    """The recurrent layers of a model of labels, which read vectors of so many numbers."""
    chosen: dict[str, Any] = {"bidirectional": options.bidirectional, "initial": "zero"} | dict(options.recurrent or {})
    return Stack(
        find_cell(options.cell),
        width,
        options.hidden,
        options.layers,
        bidirectional=chosen["bidirectional"],
        proj_size=chosen.get("proj_size", 0),
        residual=chosen.get("residual", False),
        zoneout=chosen.get("zoneout") or {},
        learned=chosen["initial"] == "learned",
    )


def sequence_network(
    options: Options, width: int, sizes: Sequence[int], *, tokens: bool, kind: Kind, plan: Plan
) -> Network:
    """x [T,B,I] or tokens [T,B], and lengths [B] -> scores [B,K], for tags [T,B,K], as of a SequenceModel.

    The arguments are those of a SequenceModel, K = sum(sizes): the scores of several targets stand one after the other.
    Weights are named as in a run's checkpoint. Of several members the scores are the logarithms of the mean
    probabilities, or the mean of the numbers.
    """
    member = Member(options, width, tokens=tokens, kind=kind, plan=plan)
    if plan.members == 1:
        steps = member.steps("", SCORES)
    else:
        steps, each = [], []
        for number in range(plan.members):
            prefix = f"members.{number}."
            steps += member.steps(prefix, prefix + SCORES)
            each.append(prefix + SCORES)
            if kind != "number":
                each[-1] = prefix + "log_p"
                steps.append(LogSoftmax(prefix + SCORES, each[-1], tuple(sizes) if len(sizes) > 1 else ()))
        steps.append(Average(tuple(each), SCORES, logarithms=kind != "number"))
    x = Port(X, ("T", "B"), "int64") if tokens else Port(X, ("T", "B", width))
    shape = ("T", "B", sum(sizes)) if kind == "tag" else ("B", sum(sizes))
    return Network((x, Port(LENGTHS, ("B",), "int64")), (Port(SCORES, shape),), tuple(steps))


class Member:
    """One network, whose steps are written for each member of an ensemble."""

    def __init__(self, options: Options, width: int, *, tokens: bool, kind: Kind, plan: Plan) -> None:
        self.options, self.tokens, self.tags, self.plan = options, tokens, kind == "tag", plan
        self.stages = 0 if self.tags else plan.stages
        self.width = options.hidden if self.stages else options.embedding if tokens else width

    def steps(self, prefix: str, scores: str) -> list[Step]:
        """From x to the scores, of weights whose names begin so."""
        steps: list[Step] = []
        x, lengths = X, LENGTHS
        if self.tokens:
            steps.append(Embedding(x, f"{prefix}embedded", f"{prefix}embedding.weight"))
            x = steps[-1].y
        for stage in range(self.stages):
            steps.append(_block(f"{prefix}front.blocks.{stage}.", x, FRONT_KERNEL, lengths, stride=2))
            x, lengths = steps[-1].y, f"{prefix}front.{stage}.lengths"
        recurrent = layers(self.options, self.width)
        steps += stack(recurrent, x, f"{prefix}recurrent.", lengths)
        y = steps[-1].y
        if not self.tags:
            parts = self._summaries(prefix, y, lengths, recurrent.bidirectional)
            parts += self._branch(prefix, x, lengths)
            y = f"{prefix}summary"
            steps += [*parts, Join(tuple(part.y for part in parts if isinstance(part, Summary | Attention)), y)]
        steps.append(Linear(y, scores, f"{prefix}output.weight", f"{prefix}output.bias"))
        return steps

    def _summaries(self, prefix: str, y: str, lengths: str, bidirectional: bool) -> list[Step]:
        """One vector a sequence for each summary."""
        made: list[Step] = []
        for how in self.plan.summary.split("+"):
            if how == "attention":
                W, b, query = (
                    f"{prefix}attention.{name}" for name in ("projection.weight", "projection.bias", "query.weight")
                )
                made.append(Attention(y, f"{prefix}{how}", W, b, query, lengths))
            else:
                made.append(Summary(y, f"{prefix}{how}", how, bidirectional, lengths))  # type: ignore[arg-type]
        return made

    def _branch(self, prefix: str, x: str, lengths: str) -> list[Step]:
        """The convolutions beside the recurrent layers and their mean; none without a branch."""
        if self.plan.branch != "fcn":
            return []
        steps: list[Step] = []
        for number, kernel in zip(count(), BRANCH_KERNELS):
            steps.append(_block(f"{prefix}branch.blocks.{number}.", x, kernel, lengths))
            x = steps[-1].y
        return [*steps, Summary(x, f"{prefix}branch", "mean", lengths=lengths)]


def _block(place: str, x: str, kernel: int, lengths: str, stride: int = 1) -> Convolution:
    """A convolution as `gatework.labels.convolution.Block` runs it."""
    return Convolution(
        x,
        f"{place}y",
        f"{place}convolution.weight",
        mean=f"{place}norm.running_mean",
        variance=f"{place}norm.running_var",
        scale=f"{place}norm.weight",
        shift=f"{place}norm.bias",
        before=(kernel - 1) // 2 if stride == 1 else kernel - 2,
        stride=stride,
        lengths=lengths,
        new_lengths=lengths if stride == 1 else f"{place.replace('blocks.', '')}lengths",
    )
