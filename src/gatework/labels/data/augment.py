"""Training sequences of numbers changed at random, so that few of them say more: noise, warped time, cropped ends."""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from gatework.labels.data.batches import Input, LabelBatches

NOISE = 0.03  # deviations of a column
BENT = 0.15  # the most that each of two waves changes the speed of time by
CROPPED = 0.1  # the most that is cut off, of a sequence


class Augmented:
    """Batches of sequences [T,B,I], each changed anew in every epoch, as a function of the seed and its place alone.

    ways: "jitter" adds noise; "warp" reads the sequence faster here and slower there (Um et al. 2017,
    arXiv:1706.00527); "crop" leaves out up to a tenth of it and stretches the rest (Le Guennec et al. 2016).
    """

    def __init__(self, batches: LabelBatches, ways: Collection[str], seed: int = 0) -> None:
        self.batches, self.ways, self.seed, self.epoch = batches, ways, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, k: int) -> tuple[Input, Tensor]:
        (x, lengths, *weights), targets = self.batches[k]
        rng = np.random.default_rng([self.seed, self.epoch, k])
        if not {"warp", "crop"}.isdisjoint(self.ways):
            x = resampled(x, self._places(lengths, len(x), rng))
        if "jitter" in self.ways:
            noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32))
            x = x + NOISE * noise
        inside = torch.arange(len(x))[:, None] < lengths
        return (x * inside[..., None], lengths, *weights), targets

    def _places(self, lengths: Tensor, steps: int, rng: np.random.Generator) -> Tensor:
        """Where each step is read, [T,B], from 0 to its sequence's last step."""
        last = (lengths - 1).clamp(min=1)
        way = (torch.arange(steps)[:, None] / last).clamp(max=1)  # [T,B] from 0 to 1
        bent, share, begin = (torch.from_numpy(rng.random((n, len(lengths)), np.float32)) for n in (2, 1, 1))
        if "warp" in self.ways:
            for waves, size in enumerate(bent, 1):
                turn = 2 * torch.pi * waves
                way = way + BENT * (2 * size - 1) * torch.sin(turn * way) / turn
        if "crop" in self.ways:
            left = CROPPED * share
            way = begin * left + (1 - left) * way
        return way.clamp(0, 1) * (lengths - 1)


def resampled(x: Tensor, places: Tensor) -> Tensor:
    """x [T,B,I] read between its steps at places [T,B], by linear interpolation."""
    before = places.long()
    after = (before + 1).clamp(max=len(x) - 1)
    share = (places - before)[..., None]
    columns = torch.arange(x.shape[1])
    return x[before, columns] * (1 - share) + x[after, columns] * share
