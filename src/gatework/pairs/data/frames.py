"""Frames of numbers as a network reads them: scaled. All of it is JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / scale for each of the I numbers of a frame, with the training part's mean and deviation."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of_sources(cls, sources: Sequence[npt.NDArray[np.float32]]) -> Self:
        """The mean and deviation over all frames of the training part."""
        values = np.concatenate(sources).astype(np.float64)  # [sum S, I]
        mean, scale = values.mean(0), values.std(0)
        constant = scale <= 1e-7 * np.abs(mean)  # what is left of a constant by rounding
        return cls(tuple(mean.tolist()), tuple(np.where(constant, 1.0, scale).tolist()))

    def __len__(self) -> int:
        """I, the inputs of the network."""
        return len(self.mean)

    def encode(self, sources: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """All frames, one source after the other, [sum S, I]; InputError for another width."""
        width = sources[0].shape[1]
        if width != len(self):
            raise InputError(f"frames of {width} numbers; the model was trained on frames of {len(self)}")
        values = np.concatenate(sources).astype(np.float64)
        return ((values - self.mean) / self.scale).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "scale": list(self.scale)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
        mean, scale = (tuple(map(float, values[name])) for name in ("mean", "scale"))
        if not mean or len(mean) != len(scale) or not min(scale) > 0:
            raise ValueError("its scaling does not fit")
        return cls(mean, scale)
