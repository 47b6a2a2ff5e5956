"""The reference engine: a plain torch loop over a Program, the specification that every other engine is compared with.

Any device, any dtype, differentiable any number of times, and open to torch.func.
"""

from dataclasses import replace
from math import isqrt

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gatework.engines.arguments import Arguments, Results
from gatework.engines.evaluate import evaluate, leaves, schedule
from gatework.engines.reverse_direction import run_reversed
from gatework.notation import Program
from gatework.notation.rewrite import ahead_first

REWRITTEN: dict[str, Program] = {}  # by recipe; a dict, not a cache: torch.compile looks into it


def rewritten(program: Program) -> Program:
    """The Program that is run in its place, with all that is read of it worked out."""
    if program.recipe not in REWRITTEN:
        REWRITTEN[program.recipe] = rewrite = ahead_first(program)
        for cached in ("ahead", "names"):
            getattr(rewrite, cached)
    return REWRITTEN[program.recipe]


def run(arguments: Arguments) -> Results:
    """Executes a Program over a sequence, in torch's own operations."""
    if arguments.reverse:
        return run_reversed(run, arguments)
    if arguments.recompute and torch.is_grad_enabled() and arguments.x.shape[0] > 1:
        return _run_in_pieces(arguments)
    running = arguments.running()
    arguments = arguments.without_padding(running)
    params, x, state, resets = arguments.params, arguments.x, arguments.state, arguments.resets
    program, start, record = rewritten(arguments.program), arguments.restart, arguments.record
    nodes, (T, B) = program.nodes, x.shape[:2]
    alive = None if running is None else running[:, :, None]  # [T,B,1]

    # what needs no state: all steps at once
    inputs = {name: value.expand(T, -1, -1) for name, value in {"x": x, **arguments.inputs}.items()}
    values = leaves(nodes, input=inputs, vector=params)
    evaluate(schedule(nodes, sorted(program.ahead), params), values)
    series = {i: values[i].unbind(0) for i in program.ahead if isinstance(values[i], Tensor) and values[i].dim() == 3}

    # the rest: step by step
    steps = schedule(nodes, [i for i in range(len(nodes)) if i not in program.ahead], params)
    old = {node.name: index for index, node in enumerate(nodes) if node.op == "state"}
    wanted = {name: program.names[name] for name in (program.output, *record)}
    shown: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for t in range(T):
        if resets is not None:
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


def _run_in_pieces(arguments: Arguments) -> Results:
    """As `run`, but between pieces of the sequence the state alone is saved, and the backward pass runs each again."""
    T, state, results = arguments.x.shape[0], arguments.state, []
    steps = isqrt(T)
    for first in range(0, T, steps):
        piece = _piece(arguments, first, first + steps, state)
        result = checkpoint(run, piece, use_reentrant=False, preserve_rng_state=False)
        results.append(result)
        state = result[1]
    outputs, _, recorded = zip(*results, strict=True)
    joined = {name: torch.cat([values[name] for values in recorded]) for name in arguments.record}
    return torch.cat(outputs), state, joined


def _piece(arguments: Arguments, first: int, last: int, state: tuple[Tensor, ...]) -> Arguments:
    """The steps from `first` to before `last`, from another state."""
    steps, lengths, resets = slice(first, last), arguments.lengths, arguments.resets
    return replace(
        arguments,
        x=arguments.x[steps],
        state=state,
        start=arguments.restart,
        lengths=None if lengths is None else lengths - first,
        resets=None if resets is None else resets[steps],
        inputs={name: value if value.shape[0] == 1 else value[steps] for name, value in arguments.inputs.items()},
        recompute=False,
    )
