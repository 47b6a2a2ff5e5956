"""Every mistake in a text is answered by one line that quotes the user's, marks the place and names the remedy."""

import math
import re
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatework.notation import EquationError, EquationWarning, parse, projected
from gatework.notation.ops import functions
from gatework.notation.reader import Reader

# a text with the place that the error marks, and what the error says of it
MARKED = (
    ("h = >>sigmod<<(x) + h", "unknown function 'sigmod'; did you mean 'sigmoid'?; there are relu, abs, "),
    ("h = >>zzz<<(x) + h", "unknown function 'zzz'; there are relu, abs, "),
    ("a = W @ x\nh = a + >>W<< + h", "W is used as a matrix and here as a vector; a matrix stands left of @"),
    ("a = b + x\nh = >>b<< @ h + a", "b is used as a vector and here as a matrix; a matrix stands left of @"),
    # names
    ("h = tanh(h + >>prev(q)<< + x)", "q is never assigned, so it has no previous value"),
    ("cc = x\nh = tanh(h + >>prev(c)<< + cc)", "c is never assigned, so it has no previous value; did you mean 'cc'?"),
    ("h = x + >>prev(h + x)<<", "prev takes the name of an assigned value, such as prev(c)"),
    ("h = x + >>prev(h, h)<<", "prev takes the name of an assigned value, such as prev(c)"),
    ("h = x + h\nc = x\n>>h<< = c", "h is assigned in line 1 already; give each value a name of its own"),
    (">>x<< = h\nh = x", "x is the input and cannot be assigned"),
    (">>tanh<< = h\nh = tanh", "tanh is a function; choose another name"),
    (">>prev<< = x\nh = h + prev", "prev is a function; choose another name"),
    (">>mean<< = x\nh = h + mean", "mean is a function of the derived equations; choose another name"),
    (">>_a<< = x\nh = h + _a", "names start with a letter"),
    ("h = h + >>_b<< * x", "names start with a letter"),
    ("h = >>exp<< * x + h", "exp is a function; write exp(...), or choose another name for the parameter"),
    ("h = >>norm<< @ x + h", "norm is a function; write norm(...), or choose another name for the parameter"),
    ("h = >>prev<< * x + h", "prev is a function; write prev(...), or choose another name for the parameter"),
    ("h = >>sum<< * x + h", "sum is a function of the derived equations; choose another name for the parameter"),
    # numbers
    ("h = h + x * >>'a'<<", "expected a finite number, found 'a'"),
    ("h = h + x * >>True<<", "expected a finite number, found True"),
    ("h = h + x * >>2j<<", "expected a finite number, found 2j"),
    ("h = h + x * >>1e999<<", "expected a finite number, found inf"),
    ("h = h + x * >>log(0)<<", "cannot be computed: math domain error"),
    ("h = h + x * >>exp(1000)<<", "cannot be computed: math range error"),
    ("h = h + x * (>>1e300 * 1e300<<)", "cannot be computed: the result is no finite number"),
    ("h = h + >>x / 0<<", "cannot be computed: division by zero"),
    ("h = h + >>x / (2 - 2)<<", "cannot be computed: division by zero"),
    ("h = h + x * (>>1 / 0<<)", "cannot be computed: division by zero"),
    ("f = >>1 - 0.5<<\nh = f * h + x", "f is always the same number; expected a value per unit"),
    # functions and operators
    ("h = h + >>max(x)<<", "max takes 2 arguments, found 1"),
    ("h = h + >>tanh(x, h)<<", "tanh takes 1 argument, found 2"),
    ("h = h + >>tanh()<<", "tanh takes 1 argument, found 0"),
    ("h = h + >>tanh(a=x)<<", "tanh takes 1 argument, found 0 and 1 by keyword"),
    ("h = h + tanh(>>*x<<)", "expected + - * / @, unary minus, numbers, names and functions"),
    ("h = h + >>x ** 2<<", "powers are not in the notation; write a * a, or exp(p * log(a))"),
    ("h = h + (>>x > 0<<)", "expected + - * / @"),
    ("h = h + >>x.T<<", "expected + - * / @"),
    ("h = h + >>x[0]<<", "expected + - * / @"),
    ("h = >>x if h else x<<", "expected + - * / @"),
    ("h = h + >>x % 2<<", "expected + - * / @"),
    ("h = h + >>+x<<", "expected + - * / @"),
    ("h = h + >>x.tanh<<()", "expected the name of a function"),
    # products
    ("h = >>A @ B<< @ h + x", "a product of two matrices; write A @ (B @ x)"),
    ("h = >>c * U<< @ h + x", "* and / bind no closer than @; write a * (W @ x)"),
    ("h = >>-U<< @ h + x", "the minus binds closer than @; write -(W @ x)"),
    ("h = >>prev(h)<< @ x", "left of @ stands the name of a matrix, such as W in W @ x"),
    (
        "a = x\nh = >>a<< @ h",
        "left of @ stands a matrix, but a is assigned in line 1; for products unit by unit write *",
    ),
    ("h = >>x<< @ h", "left of @ stands a matrix, but x is the input; for products unit by unit write *"),
    ("h = W @ >>2<< + h + x", "right of @ stands a vector such as x or h, found a number"),
    ("h = norm(>>1 + 1<<) + h + x", "norm works over the units of a vector, found a number"),
    # syntax, in Python's own words
    ("h = tanh>>(<<x + h", "'(' was never closed; expected name = expression of + - * / @, numbers"),
    ("h = tanh(>>W<< x + h)", "two values side by side; a matrix product is W @ x"),
    ("h = h +>><<", "invalid syntax; expected name = expression"),
    ("# a cell\n\nh = x + h\nc = x >>$<< h  # see above", "invalid syntax; expected name = expression"),
    ("ή = tanh(Ü @ x) >>?<< h", "invalid syntax; expected name = expression"),
    ("ή = tanh(Ü @ x) + >>sigmöd<<(ή)", "unknown function 'sigmöd'; did you mean 'sigmoid'?"),
)

REFUSED = (
    ("", "the equations are empty: write one assignment a line, such as h = "),
    ("# h = x\n\n   # more", "the equations are empty"),
    ("tanh(x)", "line 1: tanh(x): not an assignment; a line reads name = expression"),
    ("h == x", "line 1: h == x: not an assignment"),
    ("c = x; h = h + c", "line 1: c = x; h = h + c: not an assignment"),
    ("a = h = x", "line 1: a = h = x: not an assignment"),
    ("a, h = x", "line 1: a, h = x: not an assignment"),
    ("h: x = x", "line 1: h: x = x: not an assignment"),
    ("h += x", "line 1: h += x: not an assignment"),
    ("\n  import os", "line 2: import os: not an assignment"),
    ("c = tanh(x + c)", "the output h is never assigned; assigned are c: add a line h = ..., or name the output"),
    ("hh = tanh(x + hh)", "the output h is never assigned; did you mean 'hh'?; assigned are hh: "),
    ("h = tanh(W @ x)", "no state: no value is read before its line, so nothing is carried from step to step; read "),
)


@pytest.mark.parametrize(("marked", "says"), MARKED)
def test_a_mistake_is_marked_in_the_line(marked: str, says: str) -> None:
    number, line = next((n, line) for n, line in enumerate(marked.split("\n"), start=1) if ">>" in line)
    with pytest.raises(EquationError, match=f"^{re.escape(f'line {number}: {line}: {says}')}") as caught:
        parse(marked.replace(">>", "").replace("<<", ""))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_a_text_that_is_no_cell_is_refused(text: str, says: str) -> None:
    with pytest.raises(EquationError, match=f"^{re.escape(says)}"):
        parse(text)


def test_only_one_state_has_a_size_of_its_own() -> None:
    text = "a = P @ tanh(h)\nb = Q @ tanh(h)\nh = W @ x + U @ prev(a) + V @ prev(b) + 0.5 * h"
    lines = "line 1: a = P @ tanh(h) and line 2: b = Q @ tanh(h)"
    with pytest.raises(EquationError, match=re.escape(f"size clash: {lines}: each gives a state a size of its own")):
        parse(text)


def test_a_number_beyond_floats_is_refused() -> None:
    with pytest.raises(EquationError, match=r"^line 1: .*>>9+\.\.\.9+<<: expected a finite number"):
        parse(f"h = h + x * {'9' * 400}")


def test_every_function_of_the_notation_is_named_where_one_is_unknown() -> None:
    with pytest.raises(EquationError, match=re.escape(", ".join([*functions(), "prev"]))):
        parse("h = foo(x) + h")


def test_a_size_of_its_own_cannot_be_given_where_there_is_none() -> None:
    with pytest.raises(EquationError, match=r"^proj_size=2: no state .* a projection reads h = P @ \(...\)"):
        parse("h = tanh(W @ x + U @ h + b)").bind(3, 4, 2)


def test_sizes_that_one_line_ties_must_be_equal() -> None:
    text = "# highway\nz = sigmoid(W @ x + b)\nh = z * h + (1 - z) * x  # x as it is"
    with pytest.raises(
        EquationError,
        match=r"^line 3: h = z \* h \+ \(1 - z\) \* x .*: here x and a state have one size, "
        r"but input_size=3 and hidden_size=4; make them equal, or give x a matrix of its own",
    ):
        parse(text).bind(3, 4)
    assert parse(text).bind(4, 4) == {"I": 4, "H": 4, "R": 4}


# -- what is given beside the text

GIVEN = {
    "constant twice": ({"constants": [("k", 1.0), ("k", 2.0)]}, "constants: 'k' is given 2 times; give it once"),
    "start twice": ({"start": [("h", 1.0), ("h", 1.0)]}, "start: 'h' is given 2 times"),
    "constant not used": ({"constants": {"k": 1, "q": 2}}, "constants: 'q' is not among the names used and never ass"),
    "constant that is no number": ({"constants": {"k": "1"}}, "constants: 'k' is '1'; expected a number"),
    "constant that is a truth value": ({"constants": {"k": True}}, "constants: 'k' is True; expected a number"),
    "constant without value": ({"constants": {"k": math.nan}}, "constants: 'k' is nan; expected a finite number"),
    "infinite constant": ({"constants": {"k": math.inf}}, "constants: 'k' is inf; expected a finite number"),
    "constant beyond float": ({"constants": {"k": 10**400}}, "constants: 'k' is inf; expected a finite number"),
    "constant called as a function": ({"constants": {"k": 1.0, "exp": 1.0}}, "constants: 'exp' cannot name a constant"),
    "constant called x": ({"constants": {"x": 1.0}}, "constants: 'x' cannot name a constant"),
    "constant that is no name": ({"constants": {"1k": 1.0}}, "constants: '1k' cannot name a constant"),
    "constant that is assigned": ({"constants": {"h": 1.0}}, "line 2: >>h<< = c + k * h: h is given as a constant"),
    "start without value": ({"start": {"h": math.nan}}, "start: 'h' is nan"),
    "start of no state": ({"start": {"c": 1.0}}, "start: 'c' is not among the states: h"),
    "zoneout of no state": ({"zoneout": ["c"]}, "zoneout: 'c' is not among the states: h"),
    "dropout of no value": ({"dropout": ["W"]}, "dropout: 'W' is not among the values: c, h"),
    "record of no value": ({"taps": ["hh"]}, "record: 'hh' is not among the values; did you mean 'h'?: c, h"),
}  # fmt: skip


@pytest.mark.parametrize(("given_", "start"), GIVEN.values(), ids=GIVEN)
def test_what_is_given_beside_the_text_must_fit_it(given_: dict[str, object], start: str) -> None:
    options = {"constants": {"k": 0.5}} | given_
    with pytest.raises(EquationError, match=f"^{re.escape(start)}"):
        parse("c = tanh(W @ x)\nh = c + k * h", **options)


def test_a_constant_is_no_matrix() -> None:
    with pytest.raises(
        EquationError, match=re.escape("line 1: h = >>k<< @ h + x: left of @ stands a matrix, but k is a constant")
    ):
        parse("h = k @ h + x", constants={"k": 1.0})


def test_a_constant_of_0_divides_nothing() -> None:
    with pytest.raises(EquationError, match=re.escape("h = h + >>x / k<<: cannot be computed: division by zero")):
        parse("h = h + x / k", constants={"k": 0})


def test_a_projection_needs_a_name_of_its_own() -> None:
    with pytest.raises(
        EquationError, match=re.escape("line 1: h = tanh(>>P_h<< @ x + U @ h): P_h is the name of the projection")
    ):
        projected("h = tanh(P_h @ x + U @ h)")


# -- warnings


def test_a_cell_that_ignores_its_input_is_read_with_a_warning_each_time() -> None:
    text = "a = tanh(W @ x)\nh = tanh(U @ h)"
    for _ in range(2):
        with pytest.warns(EquationWarning, match=r"^line 2: h = tanh\(U @ h\): no path leads from x to the output h"):
            assert parse(text).output == "h"


def test_a_line_that_the_output_does_not_depend_on_is_read_with_a_warning() -> None:
    text = "f = sigmoid(W @ x)\nc = f * c + x\nh = f * tanh(cc) + h"
    with pytest.warns(EquationWarning, match=r"^line 2: c = .*: the output h does not depend on c; .* as 'cc'\?$"):
        assert [parameter.name for parameter in parse(text).parameters] == ["W", "cc"]


def test_a_path_may_take_several_steps() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse("h = tanh(U @ h + prev(b))\nb = prev(a)\na = x")


# -- extreme texts

DEEP = {
    "a sum": "h = " + " + ".join(["x"] * 500) + " + h",
    "a long sum": "h = " + " + ".join(["x"] * 50_000) + " + h",
    "calls": "h = " + "tanh(" * 150 + "h" + ")" * 150,
    "brackets": "h = " + "(" * 1000 + "h" + ")" * 1000,
    "minus signs": "h = " + "-" * 100_000 + "h",
    "differences": "h = " + "x - (" * 150 + "h" + ")" * 150,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_great_depth_is_an_error_of_a_few_hundred_letters(text: str) -> None:
    with pytest.raises(
        EquationError, match=r"^line 1: .*(give parts of it names of their own|nested parentheses)"
    ) as caught:
        parse(text)
    assert len(str(caught.value)) < 500


def test_a_stack_that_is_nearly_full_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> int:
        raise RecursionError

    monkeypatch.setattr(Reader, "read", read)
    with pytest.raises(EquationError, match="too little of Python's stack is left"):
        parse("h = tanh(x + h) + 0.25")


def test_a_very_long_line_is_quoted_around_the_place() -> None:
    long = " + ".join(f"W{i} @ x" for i in range(90))
    with pytest.raises(EquationError) as caught:
        parse(f"h = {long} + sigmod(h) + ({long})")
    assert re.match(
        r"line 1: \.\.\..* \+ W89 @ x \+ >>sigmod<<\(h\) \+ \(W0 @ x .*\.\.\.: unknown function", str(caught.value)
    )
    assert len(str(caught.value)) < 500


def test_what_is_kept_of_a_state_needs_a_pointwise_path_to_it() -> None:
    text = "f = sigmoid(W_f @ x + U_f @ h)\nc = f * prev(c) + W @ x\nh = tanh(c)"
    assert "retention(c)" in parse(text, retention=("c",)).names
    with pytest.raises(EquationError, match=r"^retention: h has no direct path from step to step: no pointwise one"):
        parse(text, retention=("h",))
    with pytest.raises(EquationError, match=r"^retention: 'f' is not among the states"):
        parse(text, retention=("f",))


LETTERS = "xhWUc0129.+-*/@()=,#:;<>[]{}'\"\\ \t\n\r\f\0_éλ🙂\ud800\ufeff"
PIECES = st.sampled_from([*LETTERS, "tanh", "max", "prev", "norm", "h = ", "\n"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
@example("h = 1if x else 2")
@example('h = "\\d"')
@example("h = x is 1")
@example("h = f'{x}'")
@example("h = (yield)")
@example("h = x\x0c")
@example("x\u2028h = x + h")
@example("h = \N{MATHEMATICAL BOLD SMALL H} + x")
def test_no_text_raises_anything_but_an_equation_error(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EquationWarning)
            parse(text)
    except EquationError as error:
        assert str(error)
