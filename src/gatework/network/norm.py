"""A convolution with its norm, whose statistics do not change outside training: it becomes part of the weights."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatework.network.steps import Convolution

Array = npt.NDArray[np.float32]


def normed(step: Convolution, weights: Mapping[str, Array]) -> tuple[Array, Array]:
    """The kernel [N,C,k] and the shift [N] for which y = relu(kernel * x + shift)."""
    scale = weights[step.scale] / np.sqrt(weights[step.variance] + np.float32(step.epsilon))
    return weights[step.weight] * scale[:, None, None], weights[step.shift] - weights[step.mean] * scale
