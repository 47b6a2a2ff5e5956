"""A cell for people: its equations and the backward equations derived from them, as text and as LaTeX; its sizes."""

from collections.abc import Iterable

from gatework.notation import spelling
from gatework.notation.adjoint import Adjoint
from gatework.notation.derivation import Derivation, derivation
from gatework.notation.equations import Line, Names, equations, spelled, value_names
from gatework.notation.expression import Expr
from gatework.notation.ops import OPS
from gatework.notation.program import Program, State, is_wide


def text(shown: Program | Adjoint) -> str:
    """The equations of a Program, or the backward equations of an Adjoint, in the notation.

    Those of a Program parse back to it. Those of an Adjoint speak of one sample, every vector a column (so that
    `d @ x.T` is a matrix), and explain their names in comments.
    """
    if isinstance(shown, Program):
        return "\n".join(map(_text_line, equations(shown)))
    derived = derivation(shown)
    return "\n\n".join(
        [_legend(shown.program, derived), *("\n".join(map(_text_line, lines)) for lines in _groups(derived))]
    )


def latex(shown: Program | Adjoint) -> str:
    r"""The same as LaTeX, an aligned environment: h_{t-1} is the old value, \odot the product unit by unit."""
    if isinstance(shown, Program):
        return _aligned(map(_latex_line, equations(shown)))
    derived = derivation(shown)
    rows = [_latex_legend(derived)]
    for lines in _groups(derived):
        rows += [*map(_latex_line, lines)]
    return _aligned(rows)


def _groups(derived: Derivation) -> list[tuple[Line, ...]]:
    return [lines for lines in (derived.within, derived.entering, derived.parameters) if lines]


# -- text


def _text_line(line: Line) -> str:
    by = f"  # by {spelling.text(line.by)}" if line.by else ""
    return f"{spelling.text(line.name)} {'+=' if line.summed else '='} {spelling.text(line.expression)}{by}"


def _legend(program: Program, derived: Derivation) -> str:
    """What the names mean, as far as they occur, as a table in comments."""
    state, output = program.states[0].name, program.output
    rows = {
        f"d_{output}": f"the gradient of the loss by {output}",
        f"d_out({output})": f"its part that comes back from the output {output}",
        f"d_prev({state})": f"the gradient by the old {state}: what the step sends back to the one before",
        f"next(d_prev({state}))": "that of the step after, 0 at the last step",
    }
    if derived.example:
        name, expression = spelling.text(derived.example.name), spelling.text(derived.example.expression)
        argument = spelling.text(derived.example.expression.args[0])
        rows[f"d{argument}"] = f"the gradient by {argument}, where {name} = {expression}"
    if derived.parameters:
        rows["+="] = "summed over samples and steps"
    used = _operations(line.expression for lines in _groups(derived) for line in lines)
    rows |= {f"{op.name}(.)": op.meaning for op in OPS.values() if op.meaning and op.name in used}
    width = max(map(len, rows))
    return "\n".join(f"# {name:{width}}  {meaning}" for name, meaning in rows.items())


def _operations(exprs: Iterable[Expr]) -> set[str]:
    operations: set[str] = set()
    waiting = list(exprs)
    while waiting:
        expr = waiting.pop()
        operations.add(expr.op)
        waiting += expr.args
    return operations


# -- LaTeX


def _aligned(rows: Iterable[str]) -> str:
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _latex_line(line: Line) -> str:
    expression = spelling.latex(line.expression)
    if line.summed:
        negative, summand = spelling.unsigned(line.expression)
        expression = rf"{'-' * negative}\sum_t {spelling.bracketed(summand, spelling.MATMUL)}"
    by = rf" \qquad \text{{by }} {spelling.latex(line.by)}" if line.by else ""
    return f"{spelling.latex(line.name)} &= {expression}{by}"


def _latex_legend(derived: Derivation) -> str:
    parts = [
        r"\delta v &= \partial L / \partial v",
        r"\delta^{\mathrm{out}} v \text{ from the output}",
        r"\overleftarrow{\delta} v_{t-1} \text{ sent back by step } t",
    ]
    if derived.example:
        name, expression = derived.example.name, derived.example.expression
        parts.append(rf"{spelling.latex(name)} = {spelling.latex(expression)}")
    return r", \quad ".join(parts)


# -- sizes


def summary(program: Program) -> str:
    """Inputs, states and parameters with their sizes, and what runs at once, one stage a line."""
    sizes = {node.name: node.size for node in program.nodes if node.op == "input"}
    rows = {
        "input": ", ".join(f"{spelling.text(spelling.given(name))} [{sizes[name]}]" for name in program.inputs),
        "output": f"{program.output} [{program.output_size}]",
        "states": ", ".join(f"{state.name} [{state.size}]{_start(state)}" for state in program.states),
        "parameters": "; ".join(_parameters(program)) or "none",
        **_constants(program),
        **_stage_rows(program),
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {row}" for name, row in rows.items())


def _start(state: State) -> str:
    return f" from {state.start:g}" if state.start else ""


def _constants(program: Program) -> dict[str, str]:
    values = {node.name: node.value for node in program.nodes if node.op == "number" and node.name}
    return {"constants": ", ".join(f"{name} = {value:g}" for name, value in values.items())} if values else {}


def _parameters(program: Program) -> list[str]:
    """Those of one shape together: W_i W_f [H,I]."""
    shapes: dict[tuple[str, ...], list[str]] = {}
    for parameter in program.parameters:
        shapes.setdefault(parameter.shape, []).append(parameter.name)
    return [f"{' '.join(names)} [{','.join(shape)}]" for shape, names in shapes.items()]


def _stage_rows(program: Program) -> dict[str, str]:
    """What needs no state and so runs for all steps at once, then what each stage runs and the values it yields."""
    ahead = [index for index in range(len(program.nodes)) if index in program.ahead]
    rows = {"all steps": _stage_row(program, ahead)}
    for number, stage in enumerate(program.stages, start=1):
        nodes = (*stage.products, *stage.rows, *stage.pointwise)
        rows[f"stage {number}"] = _stage_row(program, [index for index in nodes if index not in program.ahead])
    return {name: row for name, row in rows.items() if row}


def _stage_row(program: Program, nodes: list[int]) -> str:
    """The wide operations among the nodes, products of one operand together, and the names that are computed."""
    names = value_names(program, Names(program))
    products: dict[int, list[str]] = {}
    rows: list[str] = []
    for index in nodes:
        node = program.nodes[index]
        if node.op == "product":
            products.setdefault(node.args[0], []).append(node.name)
        elif is_wide(node):
            shown = spelling.text(spelled(program, node.args[0], names))
            rows.append(f"{node.op}({shown if len(shown) <= 20 else '...'})")
    wide = [
        f"{' '.join(matrices)} @ {spelling.enclosed(spelled(program, operand, names), spelling.WHOLE)}"
        for operand, matrices in products.items()
    ]
    computed = [spelling.text(names[index]) for index in sorted(nodes) if index in names]
    return " ".join([", ".join([*wide, *rows]), *(["->", *computed] if computed else [])]).strip()
