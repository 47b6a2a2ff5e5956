"""Lists of whole numbers in a compiled program: any list of one length runs the program that another has made.

torch.compile takes each number in a list for a constant when it first sees it, and again whenever one changes that had
not changed before. Here all of them become inputs of the program at once, and one operator makes a tensor of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch._dynamo.comptime import ComptimeContext, comptime

from gatework.errors import InputError


def as_inputs(numbers: Sequence[object]) -> None:
    """Has torch.compile, while it reads this, take the numbers for inputs, whatever their values."""
    for number in numbers:  # noqa: B007 - as_input looks at the variable of this name
        comptime(as_input)


def as_input(context: ComptimeContext) -> None:
    config = torch.compiler.config
    if hasattr(config, "dynamic_sources"):  # older versions of torch do so from the second value on
        with config.patch(dynamic_sources=".*"):  # type: ignore[attr-defined]
            context.get_local("number").as_proxy()


@torch.library.custom_op("gatework::lengths", mutates_args=())
def lengths(given: Sequence[int], T: int, device: torch.device) -> Tensor:
    """[B] on the device; raises InputError where one is not from 0 to T."""
    for length in given:
        if not 0 <= length <= T:
            raise InputError(f"lengths holds {length}; expected 0 to T = {T}")
    return torch.tensor(given, dtype=torch.int64, device=device)


@lengths.register_fake
def lengths_shape(given: Sequence[int], T: int, device: torch.device) -> Tensor:  # noqa: ARG001
    return torch.empty(len(given), dtype=torch.int64, device=device)
