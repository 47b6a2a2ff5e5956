"""The native engine: the C++ core runs the Program forward, and the derived backward Program backward.

float32 on CPU. `plans` says what of a Program is stored where, `lowering` writes it as integers, which the core
interprets tile by tile; `memory` holds the tensors of a call, `scan` runs one forward and backward.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatework.engines.native.scan import Call, Scan
from gatework.errors import InputError
from gatework.notation import Program

DTYPES = (torch.float32,)


def runs(device: torch.device, dtype: torch.dtype) -> bool:
    return device.type == "cpu" and dtype in DTYPES


def check(device: torch.device, dtype: torch.dtype) -> None:
    """Raises InputError where the core does not run."""
    if not runs(device, dtype):
        raise InputError(f"engine='native' {limits(device, dtype)}: use engine='reference'")


def limits(device: torch.device, dtype: torch.dtype) -> str:
    """What the core runs, and that it is not this."""
    return f"runs {' and '.join(map(shown, DTYPES))} on cpu, not {shown(dtype)} on {device.type}"


def shown(dtype: torch.dtype) -> str:
    """A dtype by its name alone."""
    return str(dtype).removeprefix("torch.")


def run(
    program: Program,
    params: Mapping[str, Tensor],
    x: Tensor,
    state: tuple[Tensor, ...],
    *,
    start: tuple[Tensor, ...] | None = None,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    inputs: Mapping[str, Tensor] | None = None,
    record: Sequence[str] = (),
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """Executes a Program over a sequence: the contract of `gatework.engines`, in the C++ core."""
    T = len(x)
    start = state if start is None else start
    if lengths is not None:
        lengths = lengths.to(torch.int64).contiguous()
    if resets is not None:
        resets = resets if lengths is None else resets & (torch.arange(T)[:, None] < lengths)
        if T:
            state = tuple(torch.where(resets[0, :, None], s, v) for s, v in zip(start, state, strict=True))
        resets = resets.to(torch.uint8).contiguous()
    given: dict[str, Tensor] = {"input x": x}
    for carried, first, again in zip(program.states, state, start, strict=True):
        given[f"first {carried.name}"] = first
        given[f"start {carried.name}"] = again
    given |= {f"input {name}": value for name, value in (inputs or {}).items()}
    given |= {f"{p.kind} {p.name}": params[p.name] for p in program.parameters}
    for tensor in given.values():
        check(tensor.device, tensor.dtype)
    train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given.values())
    call = Call(program, tuple(given), tuple(record), lengths, resets, train)
    output, *rest = Scan.apply(call, *given.values())  # type: ignore[no-untyped-call]
    states, recorded = rest[: len(program.states)], rest[len(program.states) :]
    return output, tuple(states), dict(zip(record, recorded, strict=True))
