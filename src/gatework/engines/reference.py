"""The reference engine: a plain torch loop over a Program, the specification every other engine is held to.

Any device, any dtype, differentiable any number of times, and open to torch.func.
"""

from collections.abc import Mapping, Sequence
from math import isqrt

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gatework.engines.evaluate import evaluate, leaves, schedule
from gatework.notation import Program
from gatework.notation.rewrite import ahead_first

REWRITTEN: dict[str, Program] = {}  # by recipe; a dict, not a cache: torch.compile looks into it


def rewritten(program: Program) -> Program:
    """The Program that is run in its place, with all that is read of it worked out."""
    if program.recipe not in REWRITTEN:
        REWRITTEN[program.recipe] = found = ahead_first(program)
        for cached in ("ahead", "names"):
            getattr(found, cached)
    return REWRITTEN[program.recipe]


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
    recompute: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """Executes a Program over a sequence: the contract of `gatework.engines`, in torch's own operations."""
    if recompute and torch.is_grad_enabled() and x.shape[0] > 1:
        return in_pieces(program, params, x, state, start, lengths, resets, inputs or {}, record)
    program = rewritten(program)
    nodes, (T, B) = program.nodes, x.shape[:2]
    alive = None if lengths is None else (torch.arange(T, device=x.device)[:, None] < lengths)[:, :, None]  # [T,B,1]
    if alive is not None:
        x = torch.where(alive, x, 0)  # what lies past a length is never seen
        resets = None if resets is None else resets & alive[:, :, 0]

    # what needs no state: all steps at once
    given = {name: value.expand(T, -1, -1) for name, value in {"x": x, **(inputs or {})}.items()}
    values = leaves(nodes, input=given, vector=params)
    evaluate(schedule(nodes, sorted(program.ahead), params), values)
    series = {i: values[i].unbind(0) for i in program.ahead if isinstance(values[i], Tensor) and values[i].dim() == 3}

    # the rest: step by step
    steps = schedule(nodes, [i for i in range(len(nodes)) if i not in program.ahead], params)
    old = {node.name: index for index, node in enumerate(nodes) if node.op == "state"}
    wanted = {name: program.names[name] for name in (program.output, *record)}
    shown: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for t in range(T):
        if resets is not None and start is not None:
            state = tuple(torch.where(resets[t, :, None], s, v) for s, v in zip(start, state, strict=True))
        for index, slices in series.items():
            values[index] = slices[t]
        for carried, value in zip(program.states, state, strict=True):
            values[old[carried.name]] = value
        evaluate(steps, values)
        new = tuple(values[carried.node].expand_as(v) for carried, v in zip(program.states, state, strict=True))
        state = new if alive is None else tuple(torch.where(alive[t], n, v) for n, v in zip(new, state, strict=True))
        for name, index in wanted.items():
            value = values[index].expand(B, -1)
            shown[name].append(value if alive is None else torch.where(alive[t], value, 0))

    units = {nodes[0].size: x.shape[-1]} | {s.size: v.shape[-1] for s, v in zip(program.states, state, strict=True)}
    units |= {p.shape[0]: len(params[p.name]) for p in program.parameters}
    recorded = {
        name: torch.stack(series) if T else x.new_zeros(0, B, units[nodes[wanted[name]].size])
        for name, series in shown.items()
    }
    return recorded[program.output], state, {name: recorded[name] for name in record}


def in_pieces(
    program: Program,
    params: Mapping[str, Tensor],
    x: Tensor,
    state: tuple[Tensor, ...],
    start: tuple[Tensor, ...] | None,
    lengths: Tensor | None,
    resets: Tensor | None,
    inputs: Mapping[str, Tensor],
    record: Sequence[str],
) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """As `run`, but between pieces of the sequence the state alone is kept, and the backward pass runs each again."""
    T, results = x.shape[0], []
    steps = isqrt(T)
    for first in range(0, T, steps):
        piece = slice(first, first + steps)
        result = checkpoint(
            run,
            program,
            params,
            x[piece],
            state,
            start=start,
            lengths=None if lengths is None else lengths - first,
            resets=None if resets is None else resets[piece],
            inputs={name: value if value.shape[0] == 1 else value[piece] for name, value in inputs.items()},
            record=record,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        results.append(result)
        state = result[1]
    outputs, _, recorded = zip(*results, strict=True)
    return torch.cat(outputs), state, {name: torch.cat([values[name] for values in recorded]) for name in record}
