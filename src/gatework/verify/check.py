"""Every cell on every engine of this machine, compared with float64: what `gatework verify` shows.

A cell is run on random sequences by the engine and, from the same numbers, by the reference engine in
float64; output, final state and all gradients are compared. A further row executes the derived backward
Program by itself, in float64, and compares it with autograd.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial

import torch
from torch import Tensor

from gatework.cells import Cell, cells
from gatework.engines import Run, native, reference, triton, vendor
from gatework.lowering import isa
from gatework.verify.comparison import INCOMPARABLE, Errors, Mismatch, compare
from gatework.verify.problems import GRADIENT, Answers, Case, Problem, answer, derived, draw
from gatework.verify.rounding import spread, unit_of

# What an engine may be off by at once, relative to the values' root mean square: the machine's epsilon for each term
# of the longest sum, of up to SUM terms, since an engine may sum in any order; in bfloat16, which is summed in float32,
# for each of up to STORED values that are rounded on the way. Of a million numbers one lies far out: FAR.
SUM, STORED, FAR = 256, 19, 3


def _bounds_of(dtype: torch.dtype) -> Errors:
    rms = (STORED if dtype == torch.bfloat16 else SUM) * torch.finfo(dtype).eps
    return Errors(rms, FAR * rms)


BOUNDS: Mapping[torch.dtype, Errors] = {
    dtype: _bounds_of(dtype) for dtype in (torch.float64, torch.float32, torch.bfloat16)
}
# Sums that nearly cancel, divisions by little and long sequences magnify roundings without bound. Beyond the bounds
# above those count that roundings themselves make (`rounding`): this many times what they move the answers by on the
# same numbers. Sound engines reach a fifth of it; a mistake in an equation moves answers by orders of magnitude more.
ALLOWED = 2
# Among millions of numbers some lie so near a kink of these functions that a rounding turns the derivative there: in
# all sizes their cells are compared by the root mean square alone.
KINKED = frozenset({"relu", "abs", "max", "min"})
# Some draws are ill conditioned: a row function of nearly equal numbers, a kink that a rounding crosses early in a long
# sequence. A case in all sizes has so many draws to pass in; a mistake in an equation fails in each.
DRAWS = 3
# With one unit a gradient is a single sum, which may cancel and keep the rounding of its terms: it is measured
# against at least this part of the largest gradient of its problem.
CANCELLED = 0.1


@dataclass(frozen=True)
class Target:
    """One way to run cells here: an engine, a dtype, a device."""

    engine: str
    dtype: torch.dtype
    device: str
    run: Run
    isa: str = ""  # of the native engine

    def __str__(self) -> str:
        return f"{self.engine} on {self.isa or self.device}"

    def answer(self, problem: Problem) -> Answers:
        """What it makes of a problem."""
        with isa.using(self.isa) if self.isa else nullcontext():
            return answer(self.run, problem.to(self.dtype, self.device))

    def refusal(self, cell: Cell) -> str:
        """Why it does not run a cell; empty where it does, as every engine but "torch" does."""
        return vendor.refusal(cell.program, torch.device(self.device), self.dtype) if self.engine == "torch" else ""

    def beyond(self, cell: Cell, case: Case) -> str:
        """What a case asks for that it has not; empty where it has all of it."""
        return vendor.beyond(draw(cell, case, self.dtype).arguments()) if self.engine == "torch" else ""


@dataclass(frozen=True)
class Result:
    """One statement about a cell: `what` was compared, the largest errors, and what is wrong, if anything.

    lacks: what the engine has not, for which this was not checked; it neither passed nor failed.
    """

    cell: str
    engine: str
    what: str
    dtype: torch.dtype
    errors: Errors
    message: str = ""
    lacks: str = ""

    @property
    def passed(self) -> bool:
        return not self.message and not self.lacks

    @property
    def failed(self) -> bool:
        return bool(self.message)


CHECKS = ("values", "gradients", "lengths", "resets", "masks and records", "all sizes")  # the last if thorough

# Odd sizes, beside, at and above what vectors and tiles hold; I is H and R is H where the equations ask for it.
PLAIN = (Case(4, 1, 1, 1, 1), Case(6, 5, 7, 17, 3), Case(9, 7, 19, 33, 16))
SIDES = (1, 5, 7, 17, 33, 64, 100, 256)
LENGTHS = (Case(7, 5, 6, 17, 5, lengths=True),)
RESETS = (Case(7, 5, 6, 17, 5, resets=True), Case(8, 6, 3, 8, 4, lengths=True, resets=True))
EXTRAS = (Case(4, 3, 4, 9, 5, lengths=True, extras=True),)
# Every pair of two sizes occurs in one of these.
SIZES = tuple(
    Case((1, 2, 50)[(i + j) % 3], B, H, H, max(1, H // 2)) for i, H in enumerate(SIDES) for j, B in enumerate(SIDES)
)
DERIVED = (*PLAIN, Case(3, 2, 4, 5, 3, extras=True))


def targets() -> tuple[Target, ...]:
    """Every engine in every dtype, on every device and with every instruction set that this machine has for it."""
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    plain = [Target("reference", torch.float32, device, reference.run) for device in devices]
    core = [Target("native", dtype, "cpu", native.run, name) for name in isa.available() for dtype in native.DTYPES]
    kernels = [Target("triton", dtype, device, triton.run) for device in devices for dtype in native.DTYPES]
    kernels = [target for target in kernels if triton.runs(torch.device(target.device), target.dtype)]
    dtypes = (*native.DTYPES, torch.float64)
    fused = [Target("torch", dtype, device, vendor.run) for device in devices for dtype in dtypes]
    fused = [target for target in fused if vendor.runs(torch.device(target.device), target.dtype)]
    return (*plain, *core, *kernels, *fused)


def verify(
    chosen: Iterable[Cell] = tuple(cells.values()), on: Iterable[Target] | None = None, thorough: bool = False
) -> Iterator[Result]:
    """Compares cells with float64 on each target, and their derived backward pass; yields results as they come.

    thorough: in all sizes of SIZES too, fused engines alone, which takes a minute a cell.

    A cell that fails, or cannot run at all, is a result like any other: nothing is raised. The engine "torch" has
    results of the cells that it recognises.
    """
    on = targets() if on is None else tuple(on)
    for cell in chosen:
        expected = cache(partial(solved, cell))
        takers = [target for target in on if not target.refusal(cell)]
        for target in takers:
            yield from _engine_results(cell, target, expected)
        if thorough:
            yield from sizes_results(cell, [target for target in takers if target.engine != "reference"])
        yield adjoint_result(cell, expected)


Solved = Callable[[Case, torch.dtype], tuple[Problem, Answers]]
Compared = tuple[Answers, Answers, Callable[[], Mapping[str, Errors]]]  # actual, expected, what roundings may do to it


def solved(cell: Cell, case: Case, dtype: torch.dtype) -> tuple[Problem, Answers]:
    """A problem and the answers that count: those of the reference engine in float64."""
    problem = draw(cell, case, dtype)
    return problem, answer(reference.run, problem)


def _engine_results(cell: Cell, target: Target, expected: Solved) -> Iterator[Result]:
    """Statements about a cell on an engine: values and gradients; both with lengths, resets, masks and records."""
    pair = cache(partial(_answers, target, expected))
    state = partial(_stated, cell, target, pair)
    yield from state("values", PLAIN, lambda name: not name.startswith(GRADIENT))
    yield from state("gradients", PLAIN, lambda name: name.startswith(GRADIENT))
    yield from state("lengths", LENGTHS)
    yield from state("resets", RESETS)
    yield from state("masks and records", EXTRAS)


def _stated(
    cell: Cell,
    target: Target,
    pair: Callable[[Case], Compared],
    what: str,
    cases: Iterable[Case],
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[Result]:
    """The result of the cases that a target can run, and one for each thing that it lacks for the others."""
    beyond = {case: target.beyond(cell, case) for case in cases}
    if fitting := [case for case, lacks in beyond.items() if not lacks]:
        yield _judged(cell.name, str(target), target.dtype, pair, what, fitting, wanted)
    for lacks in dict.fromkeys(filter(None, beyond.values())):
        yield Result(cell.name, str(target), what, target.dtype, Errors(), lacks=lacks)


def _answers(target: Target, expected: Solved, case: Case) -> Compared:
    """What a target makes of a problem, the answers that count, and what roundings of its dtype make of them."""
    problem, right = expected(case, target.dtype)
    return target.answer(problem), right, partial(_moved, problem, right, case, target.dtype)


def _moved(problem: Problem, right: Answers, case: Case, dtype: torch.dtype) -> Mapping[str, Errors]:
    """What roundings move each answer by; infinite where the answer is beyond the dtype's numbers."""
    least = floors(right)

    def errors(name: str, actual: Tensor) -> Errors:
        return compared(actual, right[name], name, INCOMPARABLE, least[name])

    terms = max(case.I, case.H, case.R, case.T * case.B)
    errors_by_name = spread(partial(answer, reference.run, problem), errors, unit_of(dtype, terms))
    if dtype != torch.float64:
        rounded = answer(reference.run, problem.to(dtype, "cpu"))
        errors_by_name |= {name: INCOMPARABLE for name, value in rounded.items() if not value.isfinite().all()}
    return errors_by_name


def sizes_results(cell: Cell, on: Iterable[Target]) -> Iterator[Result]:
    """A statement for each target about values and gradients in all sizes of SIZES, each size drawn once for all."""
    results: dict[Target, Result] = {}
    for case in SIZES:
        expected = cache(partial(solved, cell))
        for target in on:
            before = results.get(target)
            if target.beyond(cell, case) or (before is not None and not before.passed):
                continue
            after = _size_result(cell, target, expected, case)
            results[target] = after if before is None else replace(after, errors=before.errors | after.errors)
    yield from results.values()


def _size_result(cell: Cell, target: Target, expected: Solved, case: Case) -> Result:
    """The statement about one size, from the first of DRAWS draws that passes."""
    pair, bounds = partial(_answers, target, expected), _bounds_of_sizes(cell, target.dtype)
    for again in range(DRAWS):
        drawn = [replace(case, seed=case.seed + again)]
        result = _judged(cell.name, str(target), target.dtype, pair, "all sizes", drawn, bounds=bounds)
        if result.passed:
            break
    return result


def _bounds_of_sizes(cell: Cell, dtype: torch.dtype) -> Errors:
    kinked = any(node.op in KINKED for node in cell.program.nodes)
    return replace(BOUNDS[dtype], peak=math.inf) if kinked else BOUNDS[dtype]


def adjoint_result(cell: Cell, expected: Solved) -> Result:
    """The statement that the derived backward Program gives autograd's gradients."""

    def pair(case: Case) -> Compared:
        problem, right = expected(case, torch.float32)
        return derived(problem), right, partial(_moved, problem, right, case, torch.float64)

    return _judged(
        cell.name, "derived backward", torch.float64, pair, "gradients", DERIVED, lambda name: name.startswith(GRADIENT)
    )


def _judged(
    cell: str,
    engine: str,
    dtype: torch.dtype,
    pair: Callable[[Case], Compared],
    what: str,
    cases: Iterable[Case],
    wanted: Callable[[str], bool] = lambda _: True,
    bounds: Errors | None = None,
) -> Result:
    """The result of comparing answers with those expected, case by case, up to the first that fails."""
    seen, bounds = Errors(), BOUNDS[dtype] if bounds is None else bounds
    try:
        for case in cases:
            actual, expected, roundings = pair(case)
            magnified: Mapping[str, Errors] | None = None
            for name, least in floors(expected).items():
                if wanted(name):
                    where = f"{name}, {case}"
                    _finite(expected[name], where)
                    check = partial(compared, expected=expected[name], what=where, floor=least)
                    try:
                        seen |= check(actual[name], bounds=bounds)
                    except Mismatch:
                        magnified = roundings() if magnified is None else magnified
                        seen |= _within(check, actual[name], bounds, _allowed(magnified[name]))
    except Mismatch as mismatch:
        return Result(cell, engine, what, dtype, seen | mismatch.errors, str(mismatch))
    except Exception as error:  # whatever an engine raises is a finding about that engine
        return Result(cell, engine, what, dtype, INCOMPARABLE, f"{type(error).__name__}: {error}")
    return Result(cell, engine, what, dtype, seen)


def _within(check: Callable[..., Errors], actual: Tensor, bounds: Errors, more: Errors) -> Errors:
    """The errors within the wider bounds; none where the answer has no digit that roundings leave."""
    return Errors() if more == INCOMPARABLE and actual.dtype != torch.float64 else check(actual, bounds=bounds | more)


def _finite(expected: Tensor, what: str) -> None:
    if not expected.isfinite().all():
        raise Mismatch(f"{what}: not finite in float64 either", INCOMPARABLE)


def compared(actual: Tensor, expected: Tensor, what: str, bounds: Errors, floor: float) -> Errors:
    return compare(actual, expected, rms=bounds.rms, peak=bounds.peak, what=what, floor=floor)


def _allowed(usual: Errors) -> Errors:
    return Errors(ALLOWED * usual.rms, ALLOWED * usual.peak)


def floors(expected: Answers) -> dict[str, float]:
    """The least size to measure each answer against: a part of the largest among its fellows, see CANCELLED."""
    largest = {True: 0.0, False: 0.0}
    for name, value in expected.items():
        kind = name.startswith(GRADIENT)
        largest[kind] = max(largest[kind], float(value.square().mean().sqrt()))
    return {name: CANCELLED * largest[name.startswith(GRADIENT)] for name in expected}
