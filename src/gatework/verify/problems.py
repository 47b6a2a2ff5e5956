"""Random problems for engines: everything that a run reads, drawn; and an engine's answers, gradients included."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gatework.cells import Cell
from gatework.engines import Arguments, Run
from gatework.notation import Program, parse
from gatework.verify import adjoint

Answers = dict[str, Tensor]  # "output", "final state h", "recorded f", "gradient by x", ...
GRADIENT = "gradient by "
LONG = 10  # steps


@dataclass(frozen=True)
class Case:
    """Sizes of a sequence, whether it has lengths, resets, and all else that a layer may ask for; a draw of numbers."""

    T: int
    B: int
    I: int
    H: int
    R: int
    lengths: bool = False
    resets: bool = False
    extras: bool = False  # dropout, zoneout and taps on all values, and all recorded
    seed: int = 20

    def __str__(self) -> str:
        flags = [name for name in ("lengths", "resets", "extras") if getattr(self, name)]
        sizes = f"T={self.T} B={self.B} I={self.I} H={self.H} R={self.R}"
        return " with ".join([sizes, *flags])


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

    def arguments(self, leaves: dict[str, Tensor] | None = None) -> Arguments:
        """What an engine is asked to run, read from the problem's own numbers or from others of the same names."""
        leaves = self.leaves() if leaves is None else leaves
        states = self.program.states
        return Arguments(
            self.program,
            {name: leaves[name] for name in self.params},
            leaves["x"],
            tuple(leaves[f"state {state.name}"] for state in states),
            start=tuple(
                leaves.get(f"start {state.name}", value) for state, value in zip(states, self.start, strict=True)
            ),
            lengths=self.lengths,
            resets=self.resets,
            inputs={name: leaves[name] for name in self.inputs},
            record=self.record,
        )

    def leaves(self) -> dict[str, Tensor]:
        """What gradients are asked for, by name."""
        names = [state.name for state in self.program.states]
        states = {f"state {name}": value for name, value in zip(names, self.state, strict=True)}
        starts = {f"start {name}": value for name, value in zip(names, self.start, strict=True)}
        return {"x": self.x, **states, **(starts if self.resets is not None else {}), **self.inputs, **self.params}


def draw(cell: Cell, case: Case, dtype: torch.dtype = torch.float64) -> Problem:
    """A random problem in float64, of numbers that `dtype` holds, so that no engine pays for rounding them.

    Matrices are scaled to keep values near 1; for LONG sequences to half of that, so that rounding errors fade from
    step to step, where those of chaotic systems grow by orders of magnitude. States lie between 0.1 and 1, where every
    cell is well conditioned (a normaliser must not be near 0); what resets go back to is the cell's own start.
    """
    program = _with_extras(cell) if case.extras else cell.program
    T, B = case.T, case.B
    sizes = program.bind(case.H if program.tied else case.I, case.H, case.R if "R" in program.sizes else 0)
    generator = torch.Generator().manual_seed(case.seed)
    gain = 0.5 if T > LONG else 1.0

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(*shape, generator=generator)).to(dtype).double()

    def uniform(*shape: int) -> Tensor:
        return (0.1 + 0.9 * torch.rand(*shape, generator=generator)).to(dtype).double()

    shapes = {p.name: [sizes[side] for side in p.shape] for p in program.parameters}
    widths = [sizes[state.size] for state in program.states]
    series = {node.name: sizes[node.size] for node in program.nodes if node.op == "input" and node.name != "x"}
    return Problem(
        program,
        params={
            name: normal(*shape, scale=gain * shape[-1] ** -0.5 if shape[1:] else 0.5) for name, shape in shapes.items()
        },
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


def _with_extras(cell: Cell) -> Program:
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
    output, final, recorded = run(problem.arguments(leaves))
    weighed = zip((output, *final), (problem.output_weights, *problem.state_weights), strict=True)
    followed = [(value, weights) for value, weights in weighed if value.requires_grad]  # a stopped state is not
    gradients = torch.autograd.grad(
        [value for value, _ in followed],
        tuple(leaves.values()),
        [weights for _, weights in followed],
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
    gradients = adjoint.gradients(
        problem.program,
        problem.params,
        problem.x,
        problem.state,
        problem.output_weights,
        problem.state_weights,
        problem.inputs,
    )
    states = {f"state {s.name}": value for s, value in zip(problem.program.states, gradients.state, strict=True)}
    by_name = {"x": gradients.x, **states, **gradients.inputs, **gradients.params}
    return {f"{GRADIENT}{name}": gradient for name, gradient in by_name.items()}
