"""Convolutions over sequences of unequal lengths: what lies past a length is 0 and counts in no statistic."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.labels.plan import BRANCH_CHANNELS, BRANCH_KERNELS, FRONT_KERNEL


def inside(lengths: Tensor, steps: int) -> Tensor | None:
    """Which of so many steps are within each length, bool [B,1,T]; None where all are."""
    if bool((lengths == steps).all()):
        return None
    return torch.arange(steps, device=lengths.device) < lengths[:, None, None]


class Norm(nn.BatchNorm1d):
    """Batch normalisation (Ioffe & Szegedy 2015) of x [B,C,T] over the steps within the lengths, 0 past them.

    A batch of one step has no statistics of its own and is normalised by those learnt so far.
    """

    def forward(self, x: Tensor, within: Tensor | None = None) -> Tensor:
        if self.training and (len(x) * x.shape[-1] if within is None else int(within.sum())) < 2:
            x = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
            return x if within is None else x * within
        if within is None or not self.training:
            x = super().forward(x)
            return x if within is None else x * within
        steps = within[:, 0]  # [B,T]
        values = x.transpose(1, 2)[steps]  # [sum of lengths,C]
        normed = x.new_zeros(x.shape[0], x.shape[2], x.shape[1])
        normed[steps] = super().forward(values)
        return normed.transpose(1, 2)


class Block(nn.Module):
    """ReLU(norm(convolution(x))): [B,C,T] to [B,C',T], centred; to [B,C',ceil(T/2)] with stride 2.

    With stride 2 an output stands for two steps and sees these and steps before them alone.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride, bias=False)
        self.norm = Norm(outputs)

    def forward(self, x: Tensor, within: Tensor | None) -> Tensor:
        k = self.kernel
        beside = ((k - 1) // 2, k // 2) if self.stride == 1 else (k - 2, x.shape[-1] % 2)
        return F.relu(self.norm(self.convolution(F.pad(x, beside)), within))


class Front(nn.Module):
    """Causal convolutions of stride 2 that shorten long sequences before recurrent layers (Xiao & Cho 2016).

    forward(x [T,B,I], lengths [B]) -> ([ceil(T/2^stages),B,C], lengths [B]).
    """

    def __init__(self, inputs: int, channels: int, stages: int) -> None:
        super().__init__()
        sizes = [inputs, *[channels] * stages]
        self.blocks = nn.ModuleList(Block(a, b, FRONT_KERNEL, 2) for a, b in pairwise(sizes))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = x.permute(1, 2, 0)  # [B,I,T]
        for block in self.blocks:
            lengths = (lengths + 1) // 2
            x = block(x, inside(lengths, (x.shape[-1] + 1) // 2))
        return x.permute(2, 0, 1).contiguous(), lengths


class Branch(nn.Module):
    """The fully convolutional branch of LSTM-FCN (Karim et al. 2018, arXiv:1709.05206): three blocks, then their mean.

    forward(x [T,B,I], lengths [B]) -> [B,2H].
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        sizes = [inputs, *(hidden * times for times in BRANCH_CHANNELS)]
        self.blocks = nn.ModuleList(
            Block(a, b, kernel) for (a, b), kernel in zip(pairwise(sizes), BRANCH_KERNELS, strict=True)
        )
        self.size = sizes[-1]

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        within = inside(lengths, len(x))
        x = x.permute(1, 2, 0)  # [B,I,T]
        for block in self.blocks:
            x = block(x, within)
        return x.sum(-1) / lengths[:, None]
