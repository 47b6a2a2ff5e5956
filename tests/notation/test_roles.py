"""What gates do: read from the equations alone."""

import pytest

from gatework.cells import cells
from gatework.notation import parse
from gatework.notation.gates import gates
from gatework.notation.roles import gate_text, roles, value_text


def said(program):
    return [f"{gate_text(program, r)} {r.kind} {value_text(program, r)} in {r.target}" for r in roles(program)]


LSTM = ["f keeps c in c", "i writes g in c", "o shows tanh(c) in h"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("rnn", []),
        ("lstm", LSTM),
        ("peephole_lstm", LSTM),
        ("projected_lstm", LSTM),
        ("layer_norm_lstm", [*LSTM[:2], "o shows tanh(s_c * norm(c) + b_c) in h"]),
        ("lstm_no_forget", ["1 keeps c in c", *LSTM[1:]]),
        ("lstm_1997", ["1 keeps c in c", LSTM[1], "o shows 2 * sigmoid(c) - 1 in h"]),
        ("nog", [*LSTM[:2], "1 shows tanh(c) in h"]),
        ("gru", ["r passes h in n", "z keeps h in h", "1 - z writes n in h"]),
        ("gru_reset_after", ["r passes U_n @ h + b_hn in n", "z keeps h in h", "1 - z writes n in h"]),
        ("mgu", ["f passes h in n", "1 - f keeps h in h", "f writes n in h"]),
        ("minlstm", ["f / (f + i) keeps h in h", "i / (f + i) writes n in h"]),
        ("cfn", ["f keeps tanh(h) in h", "i writes tanh(W_g @ x) in h"]),
        ("sru", ["f keeps c in c", "1 - f writes W_c @ x in c", "r shows c in h", "1 - r passes x in h"]),
        ("slstm", [*LSTM[:2], "f keeps n in n", "i writes 1 in n", "o shows c / n in h"]),
        ("on_lstm", ["f * w + F - w keeps c in c", "i * w + I - w writes g in c", LSTM[2]]),
    ],
)
def test_roles_of_a_cell(name, wanted):
    assert said(cells[name].program) == wanted


def test_the_old_value_is_the_one_that_is_kept_where_a_value_passes_several_steps():
    kept = [each for each in said(cells["rhn_3"].program) if "keeps" in each]
    assert kept == ["1 - t1 keeps h in s1", "1 - t2 keeps s1 in s2", "1 - t3 keeps s2 in h"]


@pytest.mark.parametrize(
    "update", ["z * n + (1 - z) * h", "h + z * (n - h)", "h - z * (h - n)", "n * z - h * z + h", "(1 - z) * h + n * z"]
)
def test_a_mixture_is_read_however_it_is_spelled(update):
    program = parse(f"z = sigmoid(W_z @ x)\nn = tanh(W @ x + U @ h)\nh = {update}", output="h")
    assert sorted(said(program)) == ["1 - z keeps h in h", "z writes n in h"]


def test_a_state_that_flows_into_another_is_written_there():
    assert said(cells["cornn"].program)[0] == "1 - dt * epsilon keeps z in z"
    assert said(cells["cornn"].program)[-2:] == ["1 keeps y in y", "dt writes z in y"]


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
def test_every_gate_of_every_cell_does_something(cell):
    program = cell.program
    used = {node for role in roles(program) for _, factors in role.gate for node in (*factors.above, *factors.below)}
    reached = set(used)
    for index in sorted(range(len(program.nodes)), reverse=True):
        if index in reached:
            reached.update(program.nodes[index].args)
    assert [name for name in gates(program) if program.names[name] not in reached] == []
