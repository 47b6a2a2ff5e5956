"""The softmax over a vocabulary, and its loss without the probabilities of all steps at once."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.text.network import NARROWER, cutoffs

LEFT_OUT = -100  # the target of a step that counts for nothing
LEAST = 1024  # classes from which on the loss is taken in parts
ROWS = 256  # steps of a part


class Softmax(nn.Linear):
    """A layer of V classes: logits [...,V] of h [...,H], or with targets [...] the mean of -log p in nats.

    In training on many classes the loss takes 256 steps at a time and their gradients with them, so that neither the
    logits nor the probabilities of all [T,B,V] are ever in memory. Targets of -100 are left out.
    """

    def forward(self, h: Tensor, targets: Tensor | None = None) -> Tensor:
        if targets is None:
            return super().forward(h)
        h, targets = h.flatten(0, -2), targets.flatten()
        in_parts = (
            torch.is_grad_enabled() and self.out_features >= LEAST and not torch.is_autocast_enabled(h.device.type)
        )
        if not in_parts:
            return F.cross_entropy(super().forward(h), targets)
        loss: Tensor = _InParts.apply(h, self.weight, self.bias, targets)  # type: ignore[no-untyped-call]
        return loss


class _InParts(torch.autograd.Function):
    """The loss, whose gradients by h [N,H], weight [V,H] and bias [V] are worked out with it, part by part."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        by_h, by_weight, by_bias = torch.empty_like(h), torch.zeros_like(weight), torch.zeros_like(bias)
        counted, targets = (targets != LEFT_OUT)[:, None], targets.clamp(min=0)[:, None]  # [N,1]
        losses = []
        parts = [torch.split(each, ROWS) for each in (h, by_h, targets, counted)]
        for part, by_part, aim, counts in zip(*parts, strict=True):
            values = torch.addmm(bias, part, weight.t())  # logits, then probabilities, then gradients by logits
            most, aimed = values.amax(1, keepdim=True), values.gather(1, aim)
            total = values.sub_(most).exp_().sum(1, keepdim=True)
            losses.append(torch.where(counts, most + total.log() - aimed, 0).sum())
            values.div_(total).scatter_add_(1, aim, torch.full_like(aimed, -1)).mul_(counts)
            torch.mm(values, weight, out=by_part)
            by_weight.addmm_(values.t(), part)
            by_bias += values.sum(0)
        many = counted.sum()
        ctx.save_for_backward(by_h, by_weight, by_bias, many)
        return torch.stack(losses).sum() / many if losses else h.new_full((), torch.nan)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise InputError(
                "gradients of gradients go through a softmax's logits: take cross_entropy of model.logits(...)"
            )
        by_h, by_weight, by_bias, many = ctx.saved_tensors
        share = gradient / many
        return by_h * share, by_weight * share, by_bias * share, None


class Adaptive(nn.AdaptiveLogSoftmaxWithLoss):
    """A softmax over clusters of tokens, those of rare ones narrower (Grave et al. 2017); used as `Softmax` is.

    log p [...,V] of h [...,H], or with targets [...] the mean of -log p in nats, for which no [N,V] is ever in memory.
    Targets of -100 are left out. In single precision at least, also under autocast.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes, cutoffs(classes, width), div_value=NARROWER)

    def forward(self, h: Tensor, targets: Tensor | None = None) -> Tensor:  # type: ignore[override]
        with torch.autocast(h.device.type, enabled=False):
            flat = h.flatten(0, -2).to(self.head.weight.dtype)
            if targets is None:
                return self.log_prob(flat).view(*h.shape[:-1], self.n_classes)
            targets = targets.flatten()
            counted = targets != LEFT_OUT
            loss: Tensor = super().forward(flat[counted], targets[counted]).loss
            # Each weight has a gradient, also of a cluster that no target is in: processes average all of them.
            return loss + sum(0 * weight.sum() for weight in self.tail.parameters())
