"""New memory for tensors, and the dtypes that the core knows."""

from collections.abc import Callable
from functools import partial
from math import prod

import torch
from torch import Tensor

from gatework.core import _native

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # of the elements of buffers
NAMES = {dtype: element for element, dtype in DTYPES.items()}
LEAST = 1 << 14  # numbers from which on memory is the core's, which uses again what is given back


def allocation(shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], Tensor]:
    """What makes tensors without values: small ones like another, which torch does sooner."""
    if prod(shape) >= LEAST:
        return partial(allocated, shape, dtype)
    like = torch.zeros(1, dtype=dtype, device="cpu").expand(shape)
    return partial(torch.empty_like, like, memory_format=torch.contiguous_format)


def allocated(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor without values."""
    numbers = prod(shape)
    if numbers < LEAST:
        return torch.empty(shape, dtype=dtype, device="cpu")
    floats = -(-numbers * dtype.itemsize // torch.float32.itemsize)
    return torch.from_numpy(_native.memory(floats)).view(dtype)[:numbers].view(shape)
