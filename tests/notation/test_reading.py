"""What a text means: states, parameters, constants, sizes, stages, masks and taps."""

import pickle
import warnings

import pytest

from gatework.cells import cells
from gatework.notation import Node, Parameter, Program, State, parse, projected
from gatework.notation.rewrite import ahead_first
from gatework.notation.show import text

LSTM = """\
i = sigmoid(W_i @ x + U_i @ h + p_i * c + b_i)
f = sigmoid(W_f @ x + U_f @ h + p_f * c + b_f)
g = tanh(W_g @ x + U_g @ h + b_g)
c = f * c + i * g
o = sigmoid(W_o @ x + U_o @ h + p_o * c + b_o)
h = o * tanh(c)
"""


def node(program: Program, name: str) -> Node:
    """The node of an assigned name."""
    return program.nodes[program.names[name]]


def args(program: Program, name: str) -> list[Node]:
    return [program.nodes[arg] for arg in node(program, name).args]


def carried(program: Program) -> list[str]:
    return [state.name for state in program.states]


# -- names


def test_a_name_read_before_its_line_is_a_state_and_means_the_old_value_there() -> None:
    program = parse("a = c + x\nc = x * c\nb = c + x\nh = a + b")
    assert carried(program) == ["c"]
    assert args(program, "a")[0] == Node("state", name="c", size="H", line=1)
    assert args(program, "c")[1].op == "state"
    assert args(program, "b")[0] == node(program, "c")


def test_prev_means_the_old_value_at_any_place_and_makes_a_state() -> None:
    program = parse("c = x * prev(c)\nh = c + prev(c) + prev(h)")
    assert carried(program) == ["h", "c"]
    before = parse("h = tanh(W @ x + U @ h)")
    assert parse("h = tanh(W @ x + U @ prev(h))").nodes == before.nodes


def test_a_name_assigned_and_read_later_alone_is_no_state() -> None:
    assert carried(parse("a = W @ x\nh = a * h + a")) == ["h"]


@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_states_stand_in_the_order_of_assignment_the_output_first() -> None:
    text = "a = a + x\nb = b + a\nh = h + b\nc = c + h"
    assert carried(parse(text)) == ["h", "a", "b", "c"]
    assert carried(parse(text, output="b")) == ["b", "a", "h", "c"]
    assert carried(parse("a = a + x\nb = b + a\ny = a * b", output="y")) == ["a", "b"]


def test_names_never_assigned_are_parameters_by_the_side_of_the_product_they_stand_on() -> None:
    assert parse("h = tanh(W @ x + u * h + b + U @ v)").parameters == (
        Parameter("W", "matrix", ("H", "I")),
        Parameter("u", "vector", ("H",)),
        Parameter("b", "vector", ("H",)),
        Parameter("U", "matrix", ("H", "H")),
        Parameter("v", "vector", ("H",)),
    )


def test_parameters_and_gates_stand_in_the_order_of_appearance() -> None:
    program = parse(LSTM)
    assert list(program.names) == ["i", "f", "g", "c", "o", "h"]
    names = "W_i U_i p_i b_i W_f U_f p_f b_f W_g U_g b_g W_o U_o p_o b_o"
    assert [parameter.name for parameter in program.parameters] == names.split()


def test_peepholes_look_at_the_old_memory_before_its_line_and_at_the_new_one_after_it() -> None:
    program = parse(LSTM)
    memory = {}
    for reader in program.nodes:
        if reader.op == "mul" and program.nodes[reader.args[0]].name.startswith("p_"):
            memory[program.nodes[reader.args[0]].name] = program.nodes[reader.args[1]]
    assert memory["p_i"].op == memory["p_f"].op == "state"
    assert memory["p_o"] == node(program, "c")


def test_constants_are_numbers_by_name() -> None:
    program = parse("h = h + dt * tanh(x)", constants={"dt": 0.25})
    assert args(program, "h")[1].op == "mul"
    assert Node("number", name="dt", value=0.25, size="1") in program.nodes
    assert program.parameters == ()


@pytest.mark.parametrize("dt", [0, 1])
def test_a_constant_keeps_its_place_whatever_it_is(dt: float) -> None:
    shown = "h = h + dt * tanh(x)"
    assert text(parse(shown, constants={"dt": dt})) == shown


def test_names_may_be_of_any_script() -> None:
    program = parse("ζ = σή(x)".replace("σή", "sigmoid") + "\nή = ζ * ή + (1 - ζ) * β", output="ή")
    assert carried(program) == ["ή"]
    assert program.parameters == (Parameter("β", "vector", ("H",)),)


# -- lines and expressions


def test_comments_blank_lines_and_margins_say_nothing() -> None:
    plain = parse("c = x + c\nh = tanh(c) + h")
    spread = parse("  # memory\n\n   c = x + c   # not h\n\n\th = tanh(c) + h\n\n")
    assert [node.op for node in spread.nodes] == [node.op for node in plain.nodes]
    assert (node(plain, "h").line, node(spread, "h").line) == (2, 5)


def test_a_program_prints_the_text_it_was_read_from() -> None:
    assert str(parse(LSTM)) == LSTM.rstrip("\n")


def test_each_value_is_computed_once() -> None:
    program = parse("a = tanh(W @ x + b)\nh = tanh(W @ x + b) * h")
    assert [node.op for node in program.nodes].count("product") == 1
    assert args(program, "h")[0] == node(program, "a")


def test_arithmetic_with_plain_numbers_is_done_at_once() -> None:
    program = parse("h = (1 + 2 * -3) * h + 0 * x + (x - 0) / 1 + exp(0) * x")
    assert text(program) == "h = -5 * h + x + x"


def test_operations_bind_as_in_python() -> None:
    program = parse("a = x - h - b * x / c\nd = -x * h\ne = W @ x * h\nf = x + U @ (h * b)\nh = a + d + e + f")
    assert text(program).splitlines()[:4] == [
        "a = x - h - b * x / c",
        "d = -x * h",
        "e = (W @ x) * h",
        "f = x + U @ (h * b)",
    ]


# -- sizes


def test_x_and_the_states_have_sizes_of_their_own() -> None:
    program = parse(LSTM)
    assert {name: node(program, name).size for name in program.names} == dict.fromkeys("ifgcoh", "H")
    assert program.nodes[0] == Node("input", name="x", size="I")
    assert program.sizes == {"I", "H"} and program.output_size == "H" and program.tied == 0
    assert program.bind(3, 5) == {"I": 3, "H": 5, "R": 5}


def test_a_state_that_is_a_product_alone_has_a_size_of_its_own() -> None:
    program = parse("c = tanh(W @ x + U @ h + c)\nh = P @ c")
    assert program.states == (State("h", program.names["h"], "R"), State("c", program.names["c"], "H"))
    shapes = {parameter.name: parameter.shape for parameter in program.parameters}
    assert shapes == {"W": ("H", "I"), "U": ("H", "R"), "P": ("R", "H")}
    assert program.output_size == "R" and program.bind(3, 5, 2)["R"] == 2
    assert program.bind(3, 5) == {"I": 3, "H": 5, "R": 5}


@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_a_product_that_meets_another_state_has_its_size() -> None:
    program = parse("c = tanh(W @ x + U @ h + c)\nh = P @ c\na = h + prev(c)\nm = prev(a)")
    assert {state.size for state in program.states} == {"H"}


def test_an_output_that_is_no_state_may_stand_beside_the_states() -> None:
    program = parse("c = tanh(W @ x + U @ c)\ny = V @ c", output="y")
    assert carried(program) == ["c"] and program.output == "y" and program.output_size == "H"


@pytest.mark.parametrize(
    ("equations", "line"),
    [
        ("h = tanh(h + x)", 1),
        ("a = W @ x\nh = a * h + (1 - a) * x", 2),
        ("a = W @ x\nb = W @ h\nh = a + b", 2),  # one matrix for both
        ("a = tanh(h)\nh = x", 2),
        ("q = x * p\nr = p + h\nh = r + W @ q", 2),
    ],
)
@pytest.mark.filterwarnings("ignore:.* does not depend on")
def test_a_line_that_ties_x_to_a_state_makes_their_sizes_one(equations: str, line: int) -> None:
    with warnings.catch_warnings():
        program = parse(equations)
    assert program.sizes == {"H"} and program.tied == line
    assert program.bind(4, 4) == {"I": 4, "H": 4, "R": 4}


def test_any_name_may_name_a_matrix_or_a_state() -> None:
    program = parse("rows = tanh(state @ x + rows)\nh = h + columns @ rows")
    assert program.sizes == {"I", "H"} and program.tied == 0


# -- stages


def stage_of(program: Program, name: str) -> int:
    index = program.names[name]
    return next(
        n for n, stage in enumerate(program.stages, 1) if index in (*stage.products, *stage.rows, *stage.pointwise)
    )


@pytest.mark.parametrize(
    ("name", "count", "where"),
    [
        ("lstm", 1, {"i": 1, "c": 1, "h": 1}),
        ("gru_reset_after", 1, {"n": 1, "h": 1}),
        ("gru", 2, {"r": 1, "z": 1, "n": 2, "h": 2}),
        ("full_peephole_lstm", 2, {"c": 1, "o": 2, "h": 2}),
        ("layer_norm_lstm", 3, {"i": 2, "c": 2, "h": 3}),
        ("nested_lstm", 2, {"x2": 1, "i2": 2, "h": 2}),
        ("rhn_3", 3, {"s1": 1, "s2": 2, "h": 3}),
        ("on_lstm", 3, {"i": 1, "F": 3, "h": 3}),
    ],
)  # fmt: skip
def test_a_product_or_row_function_of_a_value_of_the_step_starts_a_stage(
    name: str, count: int, where: dict[str, int]
) -> None:
    program = cells[name].program
    assert len(program.stages) == count
    assert {value: stage_of(program, value) for value in where} == where


def test_stages_hold_every_operation_once_each_after_what_it_reads() -> None:
    for cell in cells.values():
        program = cell.program
        ready = {index for index, node in enumerate(program.nodes) if not node.args}
        for stage in program.stages:
            for index in (*stage.products, *stage.rows, *stage.pointwise):
                assert index not in ready and ready.issuperset(program.nodes[index].args)
                ready.add(index)
        assert len(ready) == len(program.nodes)


def test_what_needs_no_state_is_known_ahead() -> None:
    program = parse("z = sigmoid(W @ x + b)\nn = V @ tanh(x)\nh = z * h + n")
    ahead = {name for name, index in program.named if index in program.ahead}
    assert ahead == {"z", "n"}


def test_the_state_needs_no_product_ahead_of_it_but_of_x() -> None:
    for cell in cells.values():
        program = cell.program
        for index, node in enumerate(program.nodes):
            reads_state = node.op == "state" or any(arg not in program.ahead for arg in node.args)
            assert (index in program.ahead) != reads_state


# -- equality


def test_programs_of_one_text_are_equal_and_hash_equal() -> None:
    one, other = parse(LSTM), pickle.loads(pickle.dumps(parse(LSTM)))
    assert one == other and hash(one) == hash(other) and one is not other
    assert one != parse(LSTM.replace("o * tanh(c)", "o * c"))
    assert one != parse(LSTM, output="c")
    assert one != parse(LSTM, start={"c": 1.0}) != parse(LSTM, start={"c": 2.0})


def test_a_text_is_read_once() -> None:
    assert parse(LSTM) is parse(LSTM)
    assert parse("h = h + k * x", constants={"k": 1}) is parse("h = h + k * x", constants=[("k", 1.0)])


def test_states_start_where_they_are_told() -> None:
    assert [state.start for state in parse(LSTM, start={"c": -float("inf")}).states] == [0.0, -float("inf")]


# -- masks and taps


def test_dropout_multiplies_the_named_value_by_an_input_wherever_it_is_read() -> None:
    program = parse(LSTM, dropout=["g"])
    assert program.inputs == ("x", "dropout g")
    assert [arg.op for arg in args(program, "g")] == ["tanh", "input"]
    assert text(program).splitlines()[2:4] == [
        "g = tanh(W_g @ x + U_g @ h + b_g) * dropout(g)",
        "c = f * c + i * g",
    ]


def test_zoneout_moves_the_state_that_is_carried_and_returned_not_the_step() -> None:
    program = parse(LSTM, zoneout=["c", "h"])
    assert program.inputs == ("x", "zoneout h", "zoneout c")
    assert text(program).splitlines()[3:] == [
        "c_new = f * c + i * g",
        "c = c + zoneout(c) * (c_new - c)",
        "o = sigmoid(W_o @ x + U_o @ h + p_o * c_new + b_o)",
        "h_new = o * tanh(c_new)",
        "h = h + zoneout(h) * (h_new - h)",
    ]
    assert program.states[1].node == program.names["c"]


def test_taps_add_an_input_to_the_value_that_is_read_and_carried() -> None:
    program = parse(LSTM, taps=["f", "c"], zoneout=["c"])
    assert program.inputs == ("x", "tap f", "zoneout c", "tap c")
    lines = text(program).splitlines()
    assert lines[1].endswith(" + b_f) + tap(f)")
    assert lines[4] == "c = c + zoneout(c) * (c_new - c) + tap(c)"
    sizes = {node.name: node.size for node in program.nodes if node.op == "input"}
    assert sizes == {"x": "I", "tap f": "H", "zoneout c": "H", "tap c": "H"}


# -- projection


def test_a_projection_wraps_the_line_of_the_output() -> None:
    wrapped = projected("# the memory\n  c = x + c\n\n  h = o * tanh(c)  # out\n")
    assert wrapped == "# the memory\n  c = x + c\n\nh = P_h @ (o * tanh(c))"
    assert projected("ή = tanh(x + ή)", "ή") == "ή = P_ή @ (tanh(x + ή))"


def test_a_projected_lstm_is_the_one_of_the_registry() -> None:
    ours = parse(projected(cells["lstm"].equations))
    assert ours.nodes == cells["projected_lstm"].program.nodes
    assert ours.parameters == cells["projected_lstm"].program.parameters


# -- rewriting


def test_terms_that_need_no_state_go_first() -> None:
    program = ahead_first(parse("h = tanh(U @ h + b + W @ x + u * h + 1)"))
    assert text(program) == "h = tanh(b + W @ x + 1 + U @ h + u * h)"


def test_rewriting_keeps_names_states_inputs_and_sizes() -> None:
    for cell in cells.values():
        before, after = cell.program, ahead_first(cell.program)
        assert list(after.names) == list(before.names) and after.inputs == before.inputs
        assert carried(after) == carried(before) and after.parameters == before.parameters
        assert after.sizes == before.sizes and all(node.size for node in after.nodes)
        assert [node(after, name).size for name in after.names] == [node(before, name).size for name in before.names]


def test_an_old_value_that_vanishes_from_the_sum_is_still_there_for_the_engine() -> None:
    program = ahead_first(parse("h = tanh(W @ x) + 0 * h"))
    assert "state" in [node.op for node in program.nodes] and carried(program) == ["h"]
