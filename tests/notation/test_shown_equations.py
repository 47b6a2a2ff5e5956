"""The equations that are shown are the ones that are meant: read back with Python's ast, executed, held to autograd."""

import ast
import warnings
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from torch import Tensor

from gatework.cells import cells
from gatework.engines import Arguments, reference
from gatework.engines.evaluate import in_torch
from gatework.notation import EquationError, EquationWarning, Program, parse
from gatework.notation.adjoint import adjoint
from gatework.notation.ops import OPS
from gatework.notation.rewrite import pruned
from gatework.notation.show import text
from gatework.verify.comparison import compare


def doubtful(equations: str) -> Program:
    with pytest.warns(EquationWarning):
        return parse(equations)


LSTM = cells["lstm"].equations
GRU = cells["gru"].equations

PROGRAMS = {name: cell.program for name, cell in cells.items()} | {
    "dropout, zoneout and taps": parse(LSTM, dropout=["g"], zoneout=["h", "c"], taps=["f", "c", "h"]),
    "zoneout of a product": parse(GRU, zoneout=["h"], dropout=["n", "r"], taps=["r"]),
    "an output that is no state": parse("c = tanh(W @ x + U @ c)\ny = V @ c + x", output="y"),
    "a state beside the output": parse("c = 0.5 * c + x\nh = tanh(prev(c)) * c"),
    "an old value passed on": parse("q = h\nm = prev(q)\nh = tanh(W @ x + U @ m + b)"),
    "an old value read after its line": parse("q = h\nh = tanh(W @ x + U @ q)\ny = h * q + x", output="y"),
    "the input as a state": parse("h = tanh(U @ h + V @ prev(s) + x)\ns = x"),
    "two names, one value": parse("a = tanh(W @ x + U @ h)\nb = tanh(W @ x + U @ h)\nh = a * b + a"),
    "a state by another name": parse("h = tanh(W @ x + U @ prev(m))\nm = h"),
    "the user's own d and a": parse("d_h = tanh(W @ x + U @ h + a_h)\na = sigmoid(d_h + v1)\nh = a * d_h + d_1 * da_a"),
    "every function": parse(
        "a = relu(W @ x + U @ h) + abs(x) - softplus(V @ h)\n"
        "e = exp(-a * a) / (2 + log(1.5 + a * a)) + sqrt(2 + cumsum(a * h))\n"
        "s = softmax(norm(e) + max(a, 0.3) - min(x, -h)) * logsigmoid(sum_)\n"
        "h = tanh(e - (s - (a - x)) / 3) - -s * 1e-3",
    ),
    "values that reach nothing": doubtful("q = sigmoid(W @ x)\nz = prev(q) * p\nh = tanh(U @ h + x)"),
    "a matrix used twice": parse("a = tanh(W @ x + U @ h)\nh = a - U @ (W @ x * k) + U @ a", constants={"k": 0.3}),
    "nested products": parse("h = tanh(A @ (B @ (C @ h)) + W @ x)"),
    "hundreds of terms": doubtful(
        "\n".join([*(f"a{i} = tanh(h + x * w{i})" for i in range(150)), "h = a0 * a149 + h"])
    ),
}


FUNCTIONS = ["sigmoid", "tanh", "relu", "abs", "softplus", "logsigmoid", "norm", "softmax", "cumsum"]


@st.composite
def random_texts(draw: st.DrawFn) -> str:
    """Equations of up to four values; every part is tame, so that no gradient overflows."""
    names = ["a", "b", "c", "h"][-draw(st.integers(1, 4)) :]
    matrices = iter(range(1000))
    leaf = st.sampled_from(["x", "p", "q", *names, *(f"prev({name})" for name in names)])

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        number = st.sampled_from(["2", "0.5", "1", "3.25", "1e-3"])
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(number, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(inner, inner).map(lambda t: f"({t[0]} / (1.5 + sigmoid({t[1]})))"),
            st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
            st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
            inner.map(lambda t: f"(W{next(matrices)} @ tanh({t}))"),
            inner.map(lambda t: f"(-{t})"),
        )

    expressions = [draw(st.recursive(leaf, grown, max_leaves=6)) for _ in names]
    lines = [f"{name} = {expression}" for name, expression in zip(names, expressions, strict=True)]
    return "\n".join([*lines[:-1], f"{lines[-1]} + tanh({names[0]} * prev(h) + x)"])


def read(equations: str) -> Program:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EquationWarning)
        try:
            return parse(equations)
        except EquationError as error:
            assert "size clash" in str(error)
            reject()


def meaning(program: Program) -> object:
    """All that a Program says but for the user's lines and what nothing needs."""
    kept = pruned(program)
    return (
        [replace(node, line=0) for node in kept.nodes],
        kept.states, kept.parameters, kept.named, kept.inputs, kept.output,
    )  # fmt: skip


# -- a case: numbers for all there is, and for a loss that is a weighted sum of outputs and last states


@dataclass
class Case:
    program: Program
    params: dict[str, Tensor]
    x: Tensor
    state: tuple[Tensor, ...]
    inputs: dict[str, Tensor]
    by_output: Tensor
    by_state: tuple[Tensor, ...]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_shown_equations_are_the_program_and_its_gradient(program: Program) -> None:
    check(made(program, T=3, B=2))


@settings(max_examples=40)
@given(random_texts())
def test_shown_equations_of_any_text_are_the_program_and_its_gradient(equations: str) -> None:
    check(made(read(equations), T=2, B=1))


@pytest.mark.slow
@settings(max_examples=100)
@given(random_texts())
@example("a = -(x - h) - (h - (x - h))\nh = a * (a * h) / (a / h) - -h - (-2) * a")
def test_what_is_shown_of_any_text_parses_back(equations: str) -> None:
    program = read(equations)
    back = read(text(program))
    assert meaning(back) == meaning(program)


def check(case: Case) -> None:
    output, state, wanted = differentiated(case)
    ran = executed(case)
    compare(ran.output, output, rms=1e-10, peak=1e-9, what="output")
    for found, expected in zip(ran.state, state, strict=True):
        compare(found, expected, rms=1e-10, peak=1e-9, what="state")
    for name, gradient in wanted.items():
        compare(ran.gradients[name], gradient, rms=1e-9, peak=1e-8, what=f"gradient by {name}", floor=1e-3)


def test_the_check_sees_a_wrong_derivative() -> None:
    case = made(PROGRAMS["lstm"], T=3, B=2)
    shown = text(adjoint(case.program))
    wrong = shown.replace("d_i * i * (1 - i)", "d_i * (1 - i * i)")  # tanh' for a sigmoid gate
    assert wrong != shown
    assert not torch.allclose(executed(case, wrong).gradients["W_i"], executed(case).gradients["W_i"], rtol=1e-3)


# -- a case


def made(program: Program, T: int, B: int) -> Case:
    draw = torch.Generator().manual_seed(1)
    sizes = program.bind(5 if program.nodes[0].size == "I" else 4, 4, 3 if "R" in program.sizes else 0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    units = {node.name: sizes[node.size] for node in program.nodes if node.op == "input"}
    return Case(
        program,
        {p.name: 0.6 * numbers(*(sizes[size] for size in p.shape)) for p in program.parameters},
        numbers(T, B, units["x"]),
        tuple(
            numbers(B, sizes[s.size]) + (1.5 if program.lines == cells["slstm"].program.lines else 0)
            for s in program.states
        ),
        {name: numbers(T, B, units[name]) for name in program.inputs if name != "x"},
        numbers(T, B, sizes[program.output_size]),
        tuple(numbers(B, sizes[s.size]) for s in program.states),
    )


def differentiated(case: Case) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
    """Output, last state and gradients by the reference engine and torch's autograd."""
    leaves = {**case.params, "x": case.x, **case.inputs}
    leaves |= {f"prev({s.name})": value for s, value in zip(case.program.states, case.state, strict=True)}
    leaves = {name: value.clone().requires_grad_() for name, value in leaves.items()}
    arguments = Arguments(
        case.program,
        {name: leaves[name] for name in case.params},
        leaves["x"],
        tuple(leaves[f"prev({s.name})"] for s in case.program.states),
        inputs={name: leaves[name] for name in case.inputs},
    )
    output, state, _ = reference.run(arguments)
    loss = (output * case.by_output).sum() + sum((s * g).sum() for s, g in zip(state, case.by_state, strict=True))
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    found = {n: torch.zeros_like(v) if g is None else g for (n, v), g in zip(leaves.items(), gradients, strict=True)}
    masks = [name for name in found if name.startswith(("dropout", "zoneout"))]  # drawn, never learned
    return output.detach(), tuple(s.detach() for s in state), {n: g for n, g in found.items() if n not in masks}


# -- the text, executed: one sample at a time, every vector a column


@dataclass
class Ran:
    output: Tensor
    state: tuple[Tensor, ...]
    gradients: dict[str, Tensor]


def executed(case: Case, backward: str = "") -> Ran:
    backward = backward or text(adjoint(case.program))
    samples = [sample(case, b, text(case.program), backward) for b in range(case.x.shape[1])]
    per_parameter = {name: sum(s.gradients[name] for s in samples) for name in case.params}
    others = samples[0].gradients.keys() - case.params.keys()
    stacked = {name: torch.stack([s.gradients[name] for s in samples], dim=-2) for name in others}
    return Ran(
        torch.stack([s.output for s in samples], dim=1),
        tuple(torch.stack(values) for values in zip(*(s.state for s in samples), strict=True)),
        per_parameter | stacked,
    )


def sample(case: Case, b: int, forward: str, backward: str) -> Ran:
    program, names = case.program, [s.name for s in case.program.states]
    params = {name: column(value) for name, value in case.params.items()}
    state = {name: column(value[b]) for name, value in zip(names, case.state, strict=True)}
    steps = []
    for t in range(len(case.x)):
        inputs = {spelled(name): column(value[t, b]) for name, value in {"x": case.x, **case.inputs}.items()}
        old = {f"prev({name})": value for name, value in state.items()}
        values = run_lines(forward, params | constants(program) | inputs | old | state)
        state = {name: values[name] for name in names}
        steps.append(values)
    following = {f"next(d_prev({name}))": column(g[b]) for name, g in zip(names, case.by_state, strict=True)}
    swept = []
    for t in reversed(range(len(case.x))):
        came = {f"d_out({program.output})": column(case.by_output[t, b])}
        # what names like c mean now is the new value, which `values` has last
        back = run_lines(backward, steps[t] | came | following)
        following = {f"next(d_prev({name}))": back[f"d_prev({name})"] + 0 * state[name] for name in names}
        swept.append(back)
    swept.reverse()
    gradients = {name: like(value, sum(back[f"d_{name}"] for back in swept)) for name, value in case.params.items()}
    for name, value in {"x": case.x, **{n: v for n, v in case.inputs.items() if n.startswith("tap")}}.items():
        gradients[name] = torch.stack([like(value[0, b], back[f"d_{spelled(name)}"]) for back in swept])
    for name, value in zip(names, case.state, strict=True):
        gradients[f"prev({name})"] = like(value[b], swept[0][f"d_prev({name})"])
    return Ran(
        torch.stack([like(case.by_output[0, b], values[program.output]) for values in steps]),
        tuple(like(value[b], state[name]) for name, value in zip(names, case.state, strict=True)),
        gradients,
    )


def spelled(name: str) -> str:
    """The text's word for an input: dropout(g) for "dropout g"."""
    what, _, of = name.partition(" ")
    return f"{what}({of})" if of else what


def constants(program: Program) -> dict[str, float]:
    return {node.name: node.value for node in program.nodes if node.op == "number" and node.name}


def column(value: Tensor) -> Tensor:
    return value if value.dim() == 2 else value[:, None]


def like(shape: Tensor, value: Tensor | float) -> Tensor:
    """A column, or one number for all units, as a vector; a matrix as it is."""
    whole = torch.as_tensor(value, dtype=shape.dtype)
    return (whole[:, 0] if whole.dim() == 2 and shape.dim() == 1 else whole).expand_as(shape)


def run_lines(lines: str, values: dict[str, Tensor]) -> dict[str, Tensor]:
    values = dict(values)
    for line in lines.splitlines():
        code = line.split("#")[0].strip()
        if code:
            name, _, expression = code.partition(" += " if " += " in code else " = ")
            values[name] = evaluated(ast.parse(expression, mode="eval").body, values)
    return values


def evaluated(tree: ast.expr, values: dict[str, Tensor]) -> Tensor:
    match tree:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.Attribute(value=inner, attr="T"):
            return evaluated(inner, values).T
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluated(operand, values)
        case ast.BinOp(left=left, op=sign, right=right):
            a, b = evaluated(left, values), evaluated(right, values)
            match sign:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
                case ast.MatMult():
                    return a @ b
        case ast.Call(func=ast.Name(id=name), args=arguments):
            if ast.unparse(tree) in values:  # prev(c), next(d_prev(c)), d_out(h), tap(f)
                return values[ast.unparse(tree)]
            found = [evaluated(argument, values) for argument in arguments]
            return in_torch(OPS[name])(*(value.T if isinstance(value, Tensor) else value for value in found)).T
    raise AssertionError(f"not in the notation: {ast.unparse(tree)}")
