"""Every cell on every engine of this machine, held to float64: what `gatework verify` shows.

A cell is run on random sequences by the engine and, from the same numbers, by the reference engine in
float64; output, final state and all gradients are compared. A further row executes the derived backward
Program by itself, in float64, and holds it to autograd.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import Tensor

from gatework.cells import Cell, cells
from gatework.engines import ENGINES, Run, adjoint, reference
from gatework.engines.compare import INCOMPARABLE, Errors, Mismatch, compare
from gatework.notation import Program, parse

Answers = dict[str, Tensor]  # "output", "final state h", "gradient by x", ...
GRADIENT = "gradient by "

# What an engine may be off by, relative to the values' root mean square. An engine may sum products in any
# order and has its own exp and tanh, so single rounding errors (6e-8 in float32, 1.1e-16 in float64) spread
# over a dozen steps and sums of dozens of terms: half of the cells stay below 3 of them in rms, the worst reach
# 50 in rms and 100 in peak where divisions, row functions and cancelling sums magnify. The bounds leave ten times
# what the reference engine shows, and are far below what any mistake in an equation costs.
BOUNDS: Mapping[torch.dtype, Errors] = {
    torch.float64: Errors(rms=3e-14, peak=1e-13),
    torch.float32: Errors(rms=3e-5, peak=6e-5),
}
# With one unit a gradient is a single sum, which may cancel and keep the rounding of its terms: it is measured
# against at least this part of the largest gradient of its problem.
CANCELLED = 0.1


@dataclass(frozen=True)
class Target:
    """One way to run cells here, to be held to account: an engine, a dtype, a device."""

    engine: str
    dtype: torch.dtype
    device: str
    run: Run

    def __str__(self) -> str:
        return f"{self.engine} on {self.device}"


@dataclass(frozen=True)
class Result:
    """One statement about a cell: `what` was compared, the largest errors found, and what is wrong, if anything."""

    cell: str
    engine: str
    what: str
    dtype: torch.dtype
    errors: Errors
    message: str = ""

    @property
    def passed(self) -> bool:
        return not self.message


@dataclass(frozen=True)
class Case:
    """Sizes of a sequence, and whether it has lengths, resets, and everything else that a layer may ask for."""

    T: int
    B: int
    I: int
    H: int
    R: int
    lengths: bool = False
    resets: bool = False
    extras: bool = False  # dropout, zoneout and taps on all values, and all recorded

    def __str__(self) -> str:
        flags = [name for name in ("lengths", "resets", "extras") if getattr(self, name)]
        sizes = f"T={self.T} B={self.B} I={self.I} H={self.H} R={self.R}"
        return " with ".join([sizes, *flags])


# Odd sizes, beside, at and above what vectors and tiles hold; I is H and R is H where the equations ask for it.
PLAIN = (Case(4, 1, 1, 1, 1), Case(6, 5, 7, 17, 3), Case(9, 7, 19, 33, 16))
LENGTHS = (Case(7, 5, 6, 17, 5, lengths=True),)
RESETS = (Case(7, 5, 6, 17, 5, resets=True), Case(8, 6, 3, 8, 4, lengths=True, resets=True))
EXTRAS = (Case(4, 3, 4, 9, 5, lengths=True, extras=True),)
DERIVED = (*PLAIN, Case(3, 2, 4, 5, 3, extras=True))


def targets() -> tuple[Target, ...]:
    """Every engine in every dtype and on every device that this machine has for it."""
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    return tuple(Target(name, torch.float32, device, run) for name, run in ENGINES.items() for device in devices)


def verify(chosen: Iterable[Cell] = tuple(cells.values()), on: Iterable[Target] | None = None) -> Iterator[Result]:
    """Holds cells to account on each target, and their derived backward pass; yields results as they come.

    A cell that fails, or cannot run at all, is a result like any other: nothing is raised.
    """
    on = targets() if on is None else tuple(on)
    for cell in chosen:
        expected = cache(partial(solved, cell))
        for target in on:
            yield from engine_results(cell, target, expected)
        yield adjoint_result(cell, expected)


Solved = Callable[[Case, torch.dtype], tuple["Problem", Answers]]


def solved(cell: Cell, case: Case, dtype: torch.dtype) -> tuple["Problem", Answers]:
    """A problem and the answers that count: those of the reference engine in float64."""
    problem = draw(cell, case, dtype)
    return problem, answer(reference.run, problem)


def engine_results(cell: Cell, target: Target, expected: Solved) -> Iterator[Result]:
    """Statements about a cell on an engine: values and gradients; both with lengths, resets, masks and records."""

    @cache
    def pair(case: Case) -> tuple[Answers, Answers]:
        problem, right = expected(case, target.dtype)
        return answer(target.run, problem.to(target.dtype, target.device)), right

    state = partial(judged, cell.name, str(target), target.dtype, pair)
    yield state("values", PLAIN, lambda name: not name.startswith(GRADIENT))
    yield state("gradients", PLAIN, lambda name: name.startswith(GRADIENT))
    yield state("lengths", LENGTHS)
    yield state("resets", RESETS)
    yield state("masks and records", EXTRAS)


def adjoint_result(cell: Cell, expected: Solved) -> Result:
    """The statement that the derived backward Program gives autograd's gradients."""

    def pair(case: Case) -> tuple[Answers, Answers]:
        problem, right = expected(case, torch.float32)
        return derived(problem), right

    return judged(
        cell.name, "derived backward", torch.float64, pair, "gradients", DERIVED, lambda name: name.startswith(GRADIENT)
    )


def judged(
    cell: str,
    engine: str,
    dtype: torch.dtype,
    pair: Callable[[Case], tuple[Answers, Answers]],
    what: str,
    cases: Iterable[Case],
    wanted: Callable[[str], bool] = lambda _: True,
) -> Result:
    """The result of comparing answers with those expected, case by case, up to the first that fails."""
    seen = Errors()
    try:
        for case in cases:
            found, expected = pair(case)
            for name, least in floors(expected).items():
                if wanted(name):
                    seen |= held(found[name], expected[name], f"{name}, {case}", BOUNDS[dtype], least)
    except Mismatch as mismatch:
        return Result(cell, engine, what, dtype, seen | mismatch.errors, str(mismatch))
    except Exception as error:  # whatever an engine raises is a finding about that engine
        return Result(cell, engine, what, dtype, INCOMPARABLE, f"{type(error).__name__}: {error}")
    return Result(cell, engine, what, dtype, seen)


def held(found: Tensor, expected: Tensor, what: str, bounds: Errors, floor: float) -> Errors:
    if not expected.isfinite().all():
        raise Mismatch(f"{what}: not finite in float64 either", INCOMPARABLE)
    return compare(found, expected, rms=bounds.rms, peak=bounds.peak, what=what, floor=floor)


def floors(expected: Answers) -> dict[str, float]:
    """The least size to measure each answer against: a part of the largest among its fellows, see CANCELLED."""
    largest = {True: 0.0, False: 0.0}
    for name, value in expected.items():
        kind = name.startswith(GRADIENT)
        largest[kind] = max(largest[kind], float(value.square().mean().sqrt()))
    return {name: CANCELLED * largest[name.startswith(GRADIENT)] for name in expected}


# -- the problems


@dataclass(frozen=True)
class Problem:
    """All that a run reads, and a loss: the sum of output and final state, each weighed by random numbers."""

    program: Program
    params: dict[str, Tensor]
    x: Tensor
    state: tuple[Tensor, ...]
    start: tuple[Tensor, ...]
    inputs: dict[str, Tensor]
    record: tuple[str, ...]
    lengths: Tensor | None
    resets: Tensor | None
    output_weights: Tensor
    state_weights: tuple[Tensor, ...]

    def to(self, dtype: torch.dtype, device: str = "cpu") -> "Problem":
        """The same numbers elsewhere."""

        def moved(*values: Tensor) -> tuple[Tensor, ...]:
            return tuple(value.to(device, dtype) for value in values)

        return replace(
            self,
            params=dict(zip(self.params, moved(*self.params.values()), strict=True)),
            inputs=dict(zip(self.inputs, moved(*self.inputs.values()), strict=True)),
            x=self.x.to(device, dtype),
            state=moved(*self.state),
            start=moved(*self.start),
            lengths=None if self.lengths is None else self.lengths.to(device),
            resets=None if self.resets is None else self.resets.to(device),
            output_weights=self.output_weights.to(device, dtype),
            state_weights=moved(*self.state_weights),
        )

    def leaves(self) -> dict[str, Tensor]:
        """What gradients are asked for, by name."""
        names = [state.name for state in self.program.states]
        states = {f"state {name}": value for name, value in zip(names, self.state, strict=True)}
        starts = {f"start {name}": value for name, value in zip(names, self.start, strict=True)}
        return {"x": self.x, **states, **(starts if self.resets is not None else {}), **self.inputs, **self.params}


def draw(cell: Cell, case: Case, dtype: torch.dtype = torch.float64, seed: int = 20) -> Problem:
    """A random problem in float64, of numbers that `dtype` holds, so that no engine pays for rounding them.

    Matrices are scaled to keep values near 1. States lie between 0.1 and 1, where every cell is well
    conditioned (a normaliser must not be near 0); what resets go back to is the cell's own start.
    """
    program = with_extras(cell) if case.extras else cell.program
    T, B = case.T, case.B
    sizes = program.bind(case.H if program.tied else case.I, case.H, case.R if "R" in program.sizes else 0)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=generator)).to(dtype).double()

    def uniform(*shape: int) -> Tensor:
        return (0.1 + 0.9 * torch.rand(*shape, generator=generator)).to(dtype).double()

    shapes = {p.name: [sizes[side] for side in p.shape] for p in program.parameters}
    widths = [sizes[state.size] for state in program.states]
    series = {node.name: sizes[node.size] for node in program.nodes if node.op == "input" and node.name != "x"}
    return Problem(
        program,
        params={name: normal(*shape, scale=shape[-1] ** -0.5 if shape[1:] else 0.5) for name, shape in shapes.items()},
        x=normal(T, B, sizes[program.nodes[0].size]),
        state=tuple(uniform(B, width) for width in widths),
        start=tuple(torch.full((B, w), s.start).double() for w, s in zip(widths, program.states, strict=True)),
        inputs={name: uniform(1 if name.startswith("dropout") else T, B, width) for name, width in series.items()},
        record=tuple(program.names) if case.extras else (),
        lengths=torch.arange(B).mul(T).div(B - 1).long() if case.lengths else None,  # from 0 to T
        resets=torch.rand(T, B, generator=generator) < 0.3 if case.resets else None,
        output_weights=normal(T, B, sizes[program.output_size]),
        state_weights=tuple(normal(B, width) for width in widths),
    )


def with_extras(cell: Cell) -> Program:
    """The cell's Program with dropout and a tap on every value and zoneout on every state."""
    names = tuple(cell.program.names)
    return parse(
        cell.equations,
        output=cell.output,
        constants=cell.constants,
        start=cell.start,
        dropout=names,
        zoneout=tuple(state.name for state in cell.program.states),
        taps=names,
    )


def answer(run: Run, problem: Problem) -> Answers:
    """What an engine makes of a problem: output, final state, and the loss's gradient by everything it reads."""
    leaves = {name: value.detach().requires_grad_() for name, value in problem.leaves().items()}
    states = problem.program.states
    output, final, recorded = run(
        problem.program,
        {name: leaves[name] for name in problem.params},
        leaves["x"],
        tuple(leaves[f"state {state.name}"] for state in states),
        start=tuple(
            leaves.get(f"start {state.name}", value) for state, value in zip(states, problem.start, strict=True)
        ),
        lengths=problem.lengths,
        resets=problem.resets,
        inputs={name: leaves[name] for name in problem.inputs},
        record=problem.record,
    )
    gradients = torch.autograd.grad(
        (output, *final),
        tuple(leaves.values()),
        (problem.output_weights, *problem.state_weights),
        materialize_grads=True,
    )
    return {
        "output": output.detach(),
        **{f"final state {state.name}": value.detach() for state, value in zip(states, final, strict=True)},
        **{f"recorded {name}": value.detach() for name, value in recorded.items()},
        **{f"{GRADIENT}{name}": gradient for name, gradient in zip(leaves, gradients, strict=True)},
    }


def derived(problem: Problem) -> Answers:
    """The gradients of a problem without lengths and resets, by the derived backward Program alone."""
    found = adjoint.gradients(
        problem.program,
        problem.params,
        problem.x,
        problem.state,
        problem.output_weights,
        problem.state_weights,
        problem.inputs,
    )
    states = {f"state {s.name}": value for s, value in zip(problem.program.states, found.state, strict=True)}
    by_name = {"x": found.x, **states, **found.inputs, **found.params}
    return {f"{GRADIENT}{name}": gradient for name, gradient in by_name.items()}
