"""How a cell is shown: equations and derivation as one would write them by hand, LaTeX that is LaTeX, sizes."""

import re
from collections.abc import Iterator

import pytest

from gatework.cells import cells
from gatework.notation import Program, parse, spelling
from gatework.notation.adjoint import Adjoint, adjoint
from gatework.notation.expression import Expr, number, tidy
from gatework.notation.ops import OPS
from gatework.notation.rewrite import ahead_first
from gatework.notation.show import latex, summary, text


def derived(name: str) -> str:
    """The derivation of a shipped cell without its legend."""
    return text(adjoint(cells[name].program)).split("\n\n", 1)[1]


# -- the equations as text


@pytest.mark.parametrize("name", cells)
def test_a_shipped_cell_is_shown_as_it_is_written(name: str) -> None:
    written = cells[name].equations
    if name == "slstm":  # where the text says both m and prev(m)
        written = written.replace("max(l + m, a)", "max(l + prev(m), a)")
    assert text(cells[name].program) == written


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("(x + h) + b", "x + h + b"),
        ("x + (h + b)", "x + (h + b)"),
        ("x - (h - b) - (-b)", "x - (h - b) - (-b)"),
        ("(x * h) / b * (x / h)", "x * h / b * (x / h)"),
        ("(x * (h * b)) + (x / (h * b))", "x * (h * b) + x / (h * b)"),
        ("(-x) * h - -h", "-x * h - (-h)"),
        ("-(x * h) + (-x)", "-(x * h) + (-x)"),
        ("-(-x) * h", "-(-x) * h"),
        ("-(x + h)", "-(x + h)"),
        ("(W @ x) + U @ (h * x)", "W @ x + U @ (h * x)"),
        ("(W @ x) * (U @ h)", "(W @ x) * (U @ h)"),
        ("-(W @ x) - U @ (-h)", "-(W @ x) - U @ (-h)"),
        ("W @ (U @ h) + x", "W @ (U @ h) + x"),
        ("tanh(((x))) + max((x), -(h))", "tanh(x) + max(x, -h)"),
        ("2.0 * x + 0.1 * h - 1e12 * b", "2 * x + 0.1 * h - 1000000000000 * b"),
        ("1e-7 * x + 1e30 * h", "1e-07 * x + 1e+30 * h"),
        ("-2 * x * -2 + -2 * h", "-2 * x * (-2) + (-2 * h)"),
        ("x + prev(h) * prev(b)", "x + prev(h) * prev(b)"),
    ],
)
def test_brackets_stand_where_they_are_needed(written: str, shown: str) -> None:
    lines = "b = tanh(V @ h + x)\nh = {} + h * prev(b)"
    program = parse(lines.format(written))
    assert text(program) == "b = tanh(V @ {} + x)\nh = {} + {} * prev(b)".format(
        *(("prev(h)", shown, "prev(h)") if "prev(h)" in written else ("h", shown, "h"))
    )
    again = parse(text(program))
    assert (again.nodes, again.states, again.parameters) == (program.nodes, program.states, program.parameters)


def test_a_value_is_called_by_its_first_name_from_its_line_on() -> None:
    program = parse("a = tanh(W @ x)\nb = tanh(W @ x)\nq = h\nh = tanh(W @ x) * q + (W @ x) * b")
    assert text(program) == "a = tanh(W @ x)\nb = a\nq = h\nh = a * h + (W @ x) * a"


# -- the derivation as text


def test_the_derivation_of_the_lstm() -> None:
    assert (
        text(adjoint(cells["lstm"].program))
        == """\
# d_h              the gradient of the loss by h
# d_out(h)         its part that comes back from the output h
# d_prev(h)        the gradient by the old h: what the step sends back to the one before
# next(d_prev(h))  that of the step after, 0 at the last step
# da_i             the gradient by a_i, where i = sigmoid(a_i)
# +=               summed over samples and steps

d_h = d_out(h) + next(d_prev(h))
d_c = next(d_prev(c)) + d_h * o * (1 - tanh(c) * tanh(c))
d_o = d_h * tanh(c)
da_o = d_o * o * (1 - o)
d_g = d_c * i
da_g = d_g * (1 - g * g)
d_f = d_c * prev(c)
da_f = d_f * f * (1 - f)
d_i = d_c * g
da_i = d_i * i * (1 - i)

d_prev(h) = U_i.T @ da_i + U_f.T @ da_f + U_g.T @ da_g + U_o.T @ da_o
d_prev(c) = d_c * f
d_x = W_i.T @ da_i + W_f.T @ da_f + W_g.T @ da_g + W_o.T @ da_o

d_W_i += da_i @ x.T
d_U_i += da_i @ prev(h).T
d_b_i += da_i
d_W_f += da_f @ x.T
d_U_f += da_f @ prev(h).T
d_b_f += da_f
d_W_g += da_g @ x.T
d_U_g += da_g @ prev(h).T
d_b_g += da_g
d_W_o += da_o @ x.T
d_U_o += da_o @ prev(h).T
d_b_o += da_o"""
    )


def test_the_products_of_a_matrix_stand_in_its_gradient_in_their_order() -> None:
    program = parse("a = tanh(W @ x)\nh = tanh(W @ a + U @ h)")
    assert "\nd_W += da_a @ x.T + da_h @ a.T\n" in text(adjoint(program))


def test_the_derivation_of_the_gru() -> None:
    assert derived("gru").startswith("""\
d_h = d_out(h) + next(d_prev(h))
d_n = d_h * (1 - z)
da_n = d_n * (1 - n * n)
d_z = d_h * (prev(h) - n)
da_z = d_z * z * (1 - z)
d_1 = U_n.T @ da_n  # by r * prev(h)
d_r = d_1 * prev(h)
da_r = d_r * r * (1 - r)

d_prev(h) = U_r.T @ da_r + U_z.T @ da_z + d_1 * r + d_h * z
d_x = W_r.T @ da_r + W_z.T @ da_z + W_n.T @ da_n
""")
    assert "\nd_U_n += da_n @ (r * prev(h)).T\n" in derived("gru")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        # peepholes: what the output gate sends to the new memory, the others to the old one
        ("peephole_lstm", "d_c = next(d_prev(c)) + d_h * o * (1 - tanh(c) * tanh(c)) + da_o * p_o"),
        ("peephole_lstm", "d_prev(c) = da_i * p_i + da_f * p_f + d_c * f"),
        ("peephole_lstm", "d_p_o += da_o * c"),
        # a gate named 1 - f stands where it is read, and not for the 1 - f of a derivative
        ("coupled_lstm", "d_g = d_c * i"),
        ("coupled_lstm", "da_f = d_f * f * (1 - f)"),
        # what several functions read is no one's argument
        ("atr", "d_p = d_h * i + da_f + da_i"),
        # the gradient of a sum, by the name of the part
        ("nig", "d_g = d_c\nda_g = d_g * (1 - g * g)"),
        # what all terms share is drawn out, divisors too
        ("minlstm", "d_1 = -d_h * (n * i + prev(h) * f) / ((f + i) * (f + i))  # by f + i"),
        ("on_lstm", "d_w = d_1 * i - d_1 - d_2 + d_2 * f"),
        # a long part needed twice has a line of its own, and its gradient is called after it
        ("lstm_1997", "v1 = sigmoid(W_g @ x + U_g @ prev(h) + R_ig @ prev(i) + R_og @ prev(o) + b_g)\n"
                      "da_v1 = 4 * d_g * v1 * (1 - v1)"),
        ("on_lstm", "d_v2 = -cumsum_back(d_I)\nda_v2 = v2 * (d_v2 - sum(d_v2 * v2))"),
        # minus signs in front
        ("slstm", "d_n = next(d_prev(n)) - d_h * h / n"),
        ("slstm", "da_l = d_l * sigmoid(-(W_f @ x + U_f @ prev(h) + b_f))"),
        # constants first
        ("cornn", "d_prev(y) = U_z.T @ da_v1 - gamma * d_1 + d_y"),
        ("layer_norm_lstm", "d_c = next(d_prev(c)) + rstd(c) * (d_1 - mean(d_1) - norm(c) * mean(d_1 * norm(c)))"),
        ("projected_lstm", "d_1 = P_h.T @ d_h  # by o * tanh(c)"),
    ],
)  # fmt: skip
def test_a_derivation_reads_as_if_by_hand(name: str, lines: str) -> None:
    assert f"\n{lines}\n" in f"\n{derived(name)}\n"


@pytest.mark.parametrize("name", cells)
def test_every_name_of_a_derivation_is_known_before_it_is_used(name: str) -> None:
    program = cells[name].program
    known = {*program.names, "x", *(node.name for node in program.nodes), *OPS, "prev", "next", "d_prev", "d_out", "T"}
    for line in re.sub("#.*", "", derived(name)).splitlines():
        left, _, right = line.partition("=")
        assert set(re.findall(r"[A-Za-z_]\w*", right)) <= known, line
        known.update(re.findall(r"^\w+", left))


def test_made_up_names_are_none_of_the_users() -> None:
    program = parse("a_i = tanh(W @ x + U @ h)\nd_h = sigmoid(a_i * 2 - d_i)\nv1 = a_i * d_h\nh = v1 * d_h + d_1 * v1")
    names = re.findall(r"^(\w+) \+?=", derived_text(program), flags=re.MULTILINE)
    assert len(names) == len(set(names))
    assert not set(names) & {*program.names, *(parameter.name for parameter in program.parameters)}


def derived_text(program: Program) -> str:
    return text(adjoint(program)).split("\n\n", 1)[1]


def test_what_two_functions_read_is_not_called_after_one_of_them() -> None:
    lines = derived_text(parse("a = tanh(W @ x + h)\nb = sigmoid(W @ x + h)\nh = a * b")).splitlines()
    assert "d_1 = d_b * b * (1 - b) + d_a * (1 - a * a)  # by W @ x + prev(h)" in lines
    assert not any(line.startswith("da_") for line in lines)


@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_what_no_gradient_reaches_is_said_to_be_0() -> None:
    lines = derived_text(parse("q = prev(h) * p\nc = x * prev(c)\nh = tanh(x * b)")).splitlines()
    assert {"d_prev(h) = 0", "d_p += 0"} <= set(lines)
    assert not any(line.startswith("d_q ") for line in lines)


def test_the_legend_says_what_occurs_and_no_more() -> None:
    rnn = text(adjoint(parse("h = h + x"))).split("\n\n")[0]
    assert "da_" not in rnn and "+=" not in rnn and "mean" not in rnn
    norm = text(adjoint(cells["layer_norm_lstm"].program)).split("\n\n")[0]
    assert "mean(.)" in norm and "rstd(.)" in norm and "cumsum_back" not in norm


# -- tidying


def names(letters: str) -> list[Expr]:
    return [Expr("name", text=letter, latex=letter) for letter in letters]


A, B, C = names("abc")


def op(name: str, *args: Expr) -> Expr:
    return Expr(name, args)


@pytest.mark.parametrize(
    ("expr", "shown"),
    [
        (op("add", A, op("neg", B)), "a - b"),
        (op("add", op("neg", A), B), "b - a"),
        (op("sub", A, op("sub", B, C)), "a - b + c"),
        (op("neg", op("add", A, B)), "-a - b"),
        (op("mul", A, op("neg", op("add", B, C))), "-a * (b + c)"),
        (op("mul", A, op("mul", B, C)), "a * b * c"),
        (op("add", op("mul", A, B), op("mul", A, C)), "a * (b + c)"),
        (op("sub", op("mul", A, B), A), "a * (b - 1)"),
        (op("add", op("div", A, C), op("div", B, C)), "(a + b) / c"),
        (op("div", op("div", A, B), C), "a / (b * c)"),
        (op("div", A, op("div", B, C)), "a * c / b"),
        (op("mul", A, number(2.0)), "2 * a"),
        (op("mul", number(-1.0), A), "-a"),
        (op("div", A, number(3.0)), "a / 3"),
        (op("div", A, number(-3.0)), "-a / 3"),
        (op("add", A, A), "2 * a"),
        (op("sub", A, A), "a * (1 - 1)"),
        (op("matmul", A, op("neg", B)), "-(a @ b)"),
        (op("mul", A, op("matmul", B, C)), "a * (b @ c)"),
        (op("sum", op("neg", A)), "-sum(a)"),
        (op("tanh", op("neg", op("add", A, B))), "tanh(-(a + b))"),
        (op("total"), "0"),
    ],
)
def test_an_expression_is_brought_into_the_form_of_a_hand(expr: Expr, shown: str) -> None:
    assert spelling.text(tidy(expr)) == shown


# -- LaTeX


def test_the_lstm_in_latex() -> None:
    assert (
        latex(cells["peephole_lstm"].program)
        == r"""\begin{aligned}
i_t &= \sigma(W_{i} x_t + U_{i} h_{t-1} + p_{i} \odot c_{t-1} + b_{i}) \\
f_t &= \sigma(W_{f} x_t + U_{f} h_{t-1} + p_{f} \odot c_{t-1} + b_{f}) \\
g_t &= \tanh(W_{g} x_t + U_{g} h_{t-1} + b_{g}) \\
c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
o_t &= \sigma(W_{o} x_t + U_{o} h_{t-1} + p_{o} \odot c_t + b_{o}) \\
h_t &= o_t \odot \tanh(c_t)
\end{aligned}"""
    )


def test_the_derivation_of_the_rnn_in_latex() -> None:
    assert (
        latex(adjoint(cells["rnn"].program))
        == r"""\begin{aligned}
\delta v &= \partial L / \partial v, \quad \delta^{\mathrm{out}} v \text{ from the output}, """
        + (
            r"""\quad \overleftarrow{\delta} v_{t-1} \text{ sent back by step } t, \quad h_t = \tanh(a_{h,t}) \\
\delta h_t &= \delta^{\mathrm{out}} h_t + \overleftarrow{\delta} h_t \\
\delta a_{h,t} &= \delta h_t \odot (1 - {h_t}^{2}) \\
\overleftarrow{\delta} h_{t-1} &= U_{h}^{\top} \delta a_{h,t} \\
\delta x_t &= W_{h}^{\top} \delta a_{h,t} \\
\delta W_{h} &= \sum_t \delta a_{h,t} x_t^{\top} \\
\delta U_{h} &= \sum_t \delta a_{h,t} h_{t-1}^{\top} \\
\delta b_{h} &= \sum_t \delta a_{h,t}
\end{aligned}"""
        )
    )


@pytest.mark.parametrize(
    ("name", "time", "spelled"),
    [
        ("c", "t", "c_t"),
        ("c", "t-1", "c_{t-1}"),
        ("W_f", "", "W_{f}"),
        ("W_hn", "", r"W_{\mathrm{hn}}"),
        ("i2", "t", "i_{2,t}"),
        ("b_f2", "", "b_{f2}"),
        ("b_f_1", "", "b_{f,1}"),
        ("zeta", "", r"\zeta"),
        ("zeta2", "t", r"\zeta_{2,t}"),
        ("b_beta", "", r"b_{\beta}"),
        ("b_beta2", "", r"b_{\beta 2}"),
        ("Gamma", "", r"\Gamma"),
        ("Beta", "", r"\mathrm{Beta}"),
        ("dt", "", r"\mathrm{dt}"),
        ("gate", "t", r"\mathrm{gate}_t"),
        ("β", "t", r"\beta_t"),
        ("Ω_ά", "", r"\Omega_{ά}"),
        ("h_", "t", "h_t"),
    ],
)
def test_names_in_latex(name: str, time: str, spelled: str) -> None:
    assert spelling.latex_name(name, time) == spelled


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("x / (1 + h) * b", r"\frac{x_t}{1 + h_{t-1}} \odot b"),
        ("-x / h", r"-\frac{x_t}{h_{t-1}}"),
        ("x * (-x / h)", r"x_t \odot \left(-\frac{x_t}{h_{t-1}}\right)"),
        ("tanh(x / h)", r"\tanh\left(\frac{x_t}{h_{t-1}}\right)"),
        ("abs(x) + sqrt(1 + h)", r"\left|x_t\right| + \sqrt{1 + h_{t-1}}"),
        ("dt * x * 2", r"\mathrm{dt} \, 2 \, x_t"),
        ("1.5e-7 * x + 1e-7 * h", r"1.5 \cdot 10^{-7} \, x_t + 10^{-7} \, h_{t-1}"),
        ("x * x * x", "{x_t}^{3}"),
        ("(W @ x) * (U @ h)", r"(W x_t) \odot (U h_{t-1})"),
        ("W @ (x + h)", "W (x_t + h_{t-1})"),
        ("x - (h - b) - W @ x", "x_t - (h_{t-1} - b) - W x_t"),
        ("x + (h + b) + -x", "x_t + h_{t-1} + b + (-x_t)"),
        ("max(x, relu(h))", r"\max(x_t, \mathrm{relu}(h_{t-1}))"),
        ("logsigmoid(x) - exp(-(x + h))", r"\log\sigma(x_t) - \exp(-(x_t + h_{t-1}))"),
    ],
)
def test_expressions_in_latex(written: str, shown: str) -> None:
    constants = {"dt": 0.5} if "dt" in written else {}
    row = latex(parse(f"y = {written}\nh = y + h", constants=constants)).splitlines()[1]
    assert row == rf"y_t &= {shown} \\"


FRACTIONS = "a = x / (1 + h / (2 - W @ h))\nh = exp(a / b) / sqrt(h / a) - -k * a"
NAMES = "β2 = tanh(W_f_1 @ x + alpha_beta3 * h_)\nh_ = norm(β2 / ж_2)\nh = max(h_, prev(Gamma))\nGamma = h"
ODD = {
    "masks": parse(cells["lstm"].equations, dropout=["g"], zoneout=["h", "c"], taps=["f", "c"]),
    "fractions in fractions": parse(FRACTIONS, constants={"k": -1e-9}),
    "names": parse(NAMES),
}
EVERY = {name: cell.program for name, cell in cells.items()} | ODD


@pytest.mark.parametrize("program", EVERY.values(), ids=EVERY)
def test_latex_is_well_formed(program: Program) -> None:
    for shown in (program, adjoint(program)):
        rows = check_latex(latex(shown))
        assert len(rows) == len(lines_of(shown)) + isinstance(shown, Adjoint)


def lines_of(shown: Program | Adjoint) -> list[str]:
    return [line for line in text(shown).splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(
    "wrong",
    [
        "a_b_c",
        "{a",
        "a}",
        r"\frac{a}",
        r"\nothing{a}",
        r"\left(a",
        r"(a\right)",
        "a^2^3",
        "_",
        r"\mathrm",
        "#",
        "a_",
        "%",
    ],
)
def test_the_check_of_latex_sees_what_is_not(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_latex("\\begin{aligned}\na &= " + wrong + "\n\\end{aligned}")


SYMBOLS = re.compile(
    r"\\(sigma|tanh|max|min|exp|log|odot|top|partial|sum|q?quad|leftarrow|cdot|,"
    r"|alpha|beta|gamma|delta|epsilon|zeta|nu|Gamma)"
)
COMMANDS = {r"\frac": 2, r"\mathrm": 1, r"\text": 1, r"\sqrt": 1, r"\overleftarrow": 1}


def check_latex(whole: str) -> list[str]:
    """The rows of an aligned environment; fails where LaTeX would: scripts, braces, fences, unknown commands."""
    first, *rows, last = whole.split("\n")
    assert (first, last) == (r"\begin{aligned}", r"\end{aligned}")
    for count, row in enumerate(rows, start=1):
        body = row.removesuffix(r" \\")
        assert (body == row) == (count == len(rows))
        assert body.count("&=") == body.count("&") == 1
        for side in body.split("&="):
            tokens = iter(re.findall(r"\\[A-Za-z]+|\\.|.", side.strip()))
            check_sequence(tokens, end="")
    return rows


def check_sequence(tokens: Iterator[str], end: str) -> int:
    """Reads atoms, each with one subscript and one superscript at most, up to `end`; returns how many."""
    atoms, scripts = 0, ""
    for token in tokens:
        if token == end:
            assert token != r"\right" or next(tokens) in "|)"
            return atoms
        if token in {"_", "^"}:
            assert atoms and token not in scripts
            scripts += token
            follow = next(tokens, "")
            assert follow == "{" or follow.isalnum()
            assert follow != "{" or check_sequence(tokens, "}")
            continue
        assert token not in {"}", r"\right", "%", "#", "&", "$", "~"}
        if token == "{":
            assert check_sequence(tokens, "}")
        elif token == r"\left":
            assert next(tokens) in "|("
            assert check_sequence(tokens, r"\right")
        elif token in COMMANDS:
            for _ in range(COMMANDS[token]):
                assert next(tokens, "") == "{"
                assert check_sequence(tokens, "}")
        else:
            assert not token.startswith("\\") or SYMBOLS.fullmatch(token), token
        if token != " ":
            atoms, scripts = atoms + 1, ""
    assert not end
    return atoms


# -- sizes


def test_the_summary_of_a_cell_of_one_stage() -> None:
    assert (
        summary(cells["lstm"].program)
        == """\
input       x [I]
output      h [H]
states      h [H], c [H]
parameters  W_i W_f W_g W_o [H,I]; U_i U_f U_g U_o [H,H]; b_i b_f b_g b_o [H]
all steps   W_i W_f W_g W_o @ x
stage 1     U_i U_f U_g U_o @ prev(h) -> i f g o c h"""
    )


def test_the_summary_of_a_cell_of_two_stages() -> None:
    assert summary(cells["gru"].program).splitlines()[-3:] == [
        "all steps   W_r W_z W_n @ x",
        "stage 1     U_r U_z @ prev(h) -> r z",
        "stage 2     U_n @ (r * prev(h)) -> n h",
    ]


def test_the_summary_says_starts_projections_ties_and_values_known_ahead() -> None:
    assert "states      h [H], m [H] from -inf, c [H], n [H]\n" in summary(cells["slstm"].program)
    assert "states      h [R], c [H]\n" in summary(cells["projected_lstm"].program)
    assert "P_h [R,H]\n" in summary(cells["projected_lstm"].program)
    assert "input       x [H]\n" in summary(cells["sru"].program)
    assert summary(cells["mingru"].program).endswith("all steps   W_z W_n @ x -> z n\nstage 1     -> h")
    assert "parameters  none\n" in summary(parse("h = tanh(x + h)"))


def test_the_summary_of_row_functions() -> None:
    rows = summary(cells["layer_norm_lstm"].program).splitlines()
    assert rows[-1] == "stage 3     norm(c) -> h"
    assert summary(cells["on_lstm"].program).splitlines()[-2] == "stage 2     softmax(...), softmax(...)"


def test_the_summary_names_masks_and_taps() -> None:
    program = parse("h = tanh(W @ x + U @ h)", dropout=["h"], taps=["h"])
    assert summary(program).startswith("input       x [I], dropout(h) [H], tap(h) [H]\n")


# -- extreme texts

DEEPEST = {
    "a sum": " + ".join(["x"] * 50 + ["h"] * 50),
    "a sum to the right": "x + (" * 98 + "h" + ")" * 98,
    "differences": "x - (" * 98 + "h" + ")" * 98,
    "products": "h * (" * 98 + "x" + ")" * 98,
    "divisions": "x / (" * 98 + "h" + ")" * 98,
    "minus signs": "h" + " - -x" * 48,
    "functions": "tanh(" * 98 + "x + h" + ")" * 98,
    "matrices": "W @ (" * 98 + "x + h" + ")" * 98,
    "rows": "norm(" * 98 + "x * h" + ")" * 98,
    "choices": "max(x, " * 98 + "h" + ")" * 98,
    "choices by numbers": "max(2, " * 98 + "x + h" + ")" * 98,
    "rectifiers": "relu(" * 98 + "x + h" + ")" * 98,
    "shares": "0.5 / (" * 98 + "x + h" + ")" * 98,
}


@pytest.mark.parametrize("expression", DEEPEST.values(), ids=DEEPEST)
def test_what_can_be_read_can_be_shown(expression: str) -> None:
    program = parse(f"h = {expression}\ny = h + x", output="y")
    assert ahead_first(program).states
    assert parse(text(program), output="y").names == program.names
    for shown in (program, adjoint(program)):
        check_latex(latex(shown))
        assert text(shown)
    assert summary(program)


def test_lines_of_a_derivation_stay_short() -> None:
    program = parse(f"h = {DEEPEST['choices by numbers']}\ny = h + x", output="y")
    assert max(map(len, lines_of(adjoint(program)))) < 300


def test_a_sum_is_one_line_however_many_terms_it_has() -> None:
    program = parse("h = " + " + ".join(f"W{i} @ (x * h)" for i in range(90)))
    (by_part,) = [line for line in lines_of(adjoint(program)) if line.startswith("d_1 = ")]
    assert by_part.count("@") == 90 and by_part.endswith("  # by x * prev(h)")


def test_a_text_of_a_thousand_lines_can_be_shown() -> None:
    lines = [f"a{i} = a{i - 1} * x + prev(a{i}) - p{i % 7}" for i in range(1, 1000)]
    program = parse("\n".join(["a0 = sigmoid(U @ a999 + x)", *lines]), output="a999")
    assert len(program.states) == 999 + 0
    assert len(lines_of(adjoint(program))) > 2000
    assert len(lines_of(ahead_first(program))) == 1000
    assert latex(program).count("&=") == 1000
