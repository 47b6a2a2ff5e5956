"""What a search gives: a sequence of symbols and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

MOST_BEAMS = 1000  # hypotheses that a search of a trained model follows at most


@dataclass(frozen=True)
class Hypothesis:
    """A sequence of T symbols that a search found.

    score: what hypotheses are ranked by, their log probability normalised by length where the search does that.
    log_probability: of the sequence, in nats. attention: [T,S], the share of each source step in each symbol.
    """

    tokens: tuple[int, ...]
    score: float
    log_probability: float
    attention: npt.NDArray[np.float32] | None = None

    def within(self, length: int) -> Hypothesis:
        """Without the columns of the attention past the source's end."""
        return self if self.attention is None else replace(self, attention=self.attention[:, :length])
