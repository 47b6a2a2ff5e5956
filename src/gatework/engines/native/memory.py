"""New memory for tensors, and the dtypes that the core knows."""

from math import prod

import torch
from torch import Tensor

from gatework.core import _native

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # of the elements of buffers
NAMES = {dtype: element for element, dtype in DTYPES.items()}
LEAST = 1 << 14  # numbers from which on memory is the core's, which uses again what is given back


def allocated(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor without values."""
    numbers = prod(shape)
    if numbers < LEAST:
        return torch.empty(shape, dtype=dtype, device="cpu")
    floats = -(-numbers * dtype.itemsize // torch.float32.itemsize)
    return torch.from_numpy(_native.memory(floats)).view(dtype)[:numbers].view(shape)
