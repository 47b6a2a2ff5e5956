"""A pass over a sequence step by step: where its values lie, its products by torch, its kernels in Triton."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

from gatework.engines.native.call import Call
from gatework.engines.triton.modules import load
from gatework.engines.triton.source.step import Kernel, Product, Step
from gatework.lowering.call import tensor_spec
from gatework.lowering.keys import Key, Role

TILE = 512  # numbers that a program of a kernel works on
WIDE = 128  # units of them at most, where no row function asks for whole rows
FUSED = True  # a * b + c is rounded once; passed to each launch, since Triton 3.9 warns of a default that changes


class Series(NamedTuple):
    """Values [slots,B,size] of the steps from `first` on; slots are used in turn."""

    values: Tensor
    first: int = 0


@dataclass
class Pass:
    """A pass over a sequence: where its values lie, by key, and what its steps read."""

    call: Call
    step: Step
    T: int
    B: int
    units: Mapping[str, int]
    backwards: bool
    series: dict[Key, Series] = field(default_factory=dict)
    matrices: dict[Product, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, call: Call, step: Step, *, backwards: bool = False) -> "Pass":
        made = cls(call, step, *call.sizes(), backwards)
        for key, tensor in made.tensors.items():
            if key.role is Role.INPUT:
                made.place(key, tensor)
            elif key.role is Role.START:
                made.place(key, tensor[None])
            elif key.role is Role.VECTOR:
                made.place(key, tensor.expand(1, made.B, -1))
        for buffer in step.between:
            made.new(buffer.key, 1, buffer.columns, buffer.element)
        for product in (each for products, _ in step.stages for each in products):
            parts = [made.tensors[Key(Role.MATRIX, name)] for name in product.matrices]
            stacked = torch.cat(parts) if len(parts) > 1 else parts[0]
            made.matrices[product] = stacked if product.transposed else stacked.t()
        return made

    @property
    def tensors(self) -> dict[Key, Tensor]:
        return dict(zip(tensor_spec(self.call.program).shapes, self.call.tensors, strict=True))

    @property
    def reverse(self) -> bool:
        return self.call.options.reverse

    def place(self, key: Key, values: Tensor, first: int = 0) -> None:
        self.series[key] = Series(values if values.stride(-1) == 1 else values.contiguous(), first)

    def new(self, key: Key, slots: int, size: str, element: str) -> Tensor:
        """New memory for values of a size."""
        like = self.call.tensors[0]
        made = torch.empty(slots, self.B, self.units[size], dtype=getattr(torch, element), device=like.device)
        self.place(key, made)
        return made

    def place_saved(self, whole: Tensor, steps: int, first: int = 0) -> None:
        """Places what is saved for the backward pass, one value's steps after another's."""
        before = 0
        for key, size in tensor_spec(self.call.program).saved:
            numbers = steps * self.B * self.units[size]
            self.place(key, whole[before : before + numbers].view(steps, self.B, self.units[size]), first)
            before += numbers

    def at(self, key: Key, offset: int, time: int) -> Tensor:
        """The values [B,size] of a step, or those of a state before (0) and after it (1)."""
        values, first = self.series[key]
        if self.reverse and key.role in (Role.STATE, Role.STATE_GRADIENT):
            offset = 1 - offset
        return values[(time + offset - first) % values.shape[0]]

    def times(self) -> range:
        """The steps in the order in which this pass takes them."""
        return range(self.T)[:: -1 if self.reverse != self.backwards else 1]

    def run(self, times: Iterable[int]) -> None:
        for time in times:
            for products, kernels in self.step.stages:
                for product in products:
                    self.multiply(product, time)
                for kernel in kernels:
                    self.launch(kernel, time)

    def multiply(self, product: Product, time: int) -> None:
        operands = [self.at(key, 0, time) for key in product.operands]
        result = multiplied(side_by_side(operands), self.matrices[product])
        widths = [result.shape[1]] if product.transposed else self.widths(product.matrices)
        for key, part in zip(product.results, result.split_with_sizes(widths, 1), strict=True):
            self.place(key, part[None])

    def widths(self, matrices: Sequence[str]) -> list[int]:
        return [self.tensors[Key(Role.MATRIX, name)].shape[0] for name in matrices]

    def launch(self, kernel: Kernel, time: int) -> None:
        rows, units = self.B, self.units[kernel.size]
        if not rows or not units:
            return
        block = 1 << (units - 1).bit_length()
        block = block if kernel.whole else min(block, WIDE)
        lines = max(1, min(TILE // block, 1 << (rows - 1).bit_length()))
        places = [self.at(key, offset, time) for key, offset in (*kernel.reads, *kernel.writes)]
        border = time + (self.reverse == self.backwards)  # between the steps on whose sides the state is stored
        resets = self.call.resets if 0 < border < self.T else None
        load(kernel.text).kernel[(ceil(rows / lines), ceil(units / block))](
            *(part for place in places for part in (place, place.stride(0))),
            self.call.lengths,
            None if resets is None else resets[border],
            time,
            rows,
            units,
            ENDS=self.call.lengths is not None,
            RESETS=resets is not None,
            ROWS=lines,
            UNITS=block,
            enable_fp_fusion=FUSED,
        )


def multiplied(a: Tensor, b: Tensor) -> Tensor:
    """a [M,K] . b [K,N], summed up and returned in float32."""
    a = a.to(b.dtype)
    if b.dtype == torch.float32:
        return a @ b
    if b.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Parts [M,...] as one matrix: a view where they lie so in memory already."""
    first, width = parts[0], 0
    for part in parts:
        if part.stride() != first.stride() or part.data_ptr() != first.data_ptr() + width * first.element_size():
            return torch.cat(tuple(parts), -1)
        width += part.shape[-1]
    return first.as_strided((*first.shape[:-1], width), first.stride())
