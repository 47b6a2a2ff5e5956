"""A gate changes, lies between 0 and 1 by the way it is computed, and multiplies another value."""

import pytest

from gatework.cells import cells
from gatework.notation import parse
from gatework.notation.gates import gates, kinds, ranges

# What the papers call gates, and what is made of them alone, in the order of the texts.
LSTM = ["i", "f", "o"]
PUBLISHED = {
    "rnn": [],
    "rnn_relu": [],
    "lstm": LSTM,
    "lstm_no_forget": ["i", "o"],
    "lstm_1997": ["i", "o"],
    "peephole_lstm": LSTM,
    "full_peephole_lstm": LSTM,
    "coupled_lstm": ["f", "i", "o"],
    "gru": ["r", "z"],
    "gru_reset_after": ["r", "z"],
    "nig": ["f", "o"],
    "nfg": ["i", "o"],
    "nog": ["i", "f"],
    "niaf": LSTM,
    "noaf": LSTM,
    "np": LSTM,
    "cifg": LSTM,
    "fgr": LSTM,
    "projected_lstm": LSTM,
    "layer_norm_lstm": LSTM,
    "multiplicative_lstm": LSTM,
    "nested_lstm": [*LSTM, "i2", "f2", "o2"],
    "on_lstm": [*LSTM, "F", "I", "w"],  # the master gates and their overlap
    "slstm": ["o", "i", "f"],
    "rhn_3": ["t1", "t2", "t3"],  # transform gates; what is carried is 1 - t
    "mut1": ["r", "z"],
    "mut2": ["r", "z"],
    "mut3": ["r", "z"],
    "mgu": ["f"],
    "janet": ["f", "i"],
    "ugrnn": ["g"],
    "cfn": ["f", "i"],
    "ran": ["i", "f"],
    "atr": ["i", "f"],
    "indrnn": [],
    "sru": ["f", "r"],
    "mingru": ["z"],
    "minlstm": ["f", "i"],
    "fastgrnn": ["z"],
    "lem": ["s", "t"],  # the time steps that are learnt
    "cornn": [],
}


@pytest.mark.parametrize("name", [*cells])
def test_the_gates_of_a_cell_are_those_of_its_paper(name: str) -> None:
    assert gates(cells[name].program) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("equation", "found"),
    [
        ("a = 1 - f", ["f", "a"]),
        ("a = f * f", ["f", "a"]),
        ("a = stop_gradient(f)", ["f", "a"]),
        ("a = stop_gradient(sigmoid(W_a @ x))", ["f", "a"]),
        ("a = cumsum(softmax(W_a @ x))", ["f", "a"]),
        ("a = min(f, sigmoid(W_a @ x))", ["f", "a"]),
        ("a = 0.5 * f", ["f", "a"]),
        ("a = f * sigmoid(W_a @ x) + 1 - f", ["f", "a"]),  # between 0 and 1 whatever the two are
        ("a = 0.5 + 0.5 * tanh(W_a @ x)", ["f", "a"]),
        ("a = exp(b - max(b, W_a @ x))", ["f", "a"]),
        ("a = exp(-abs(W_a @ x))", ["f", "a"]),
        ("a = f / (f + exp(W_a @ x))", ["f", "a"]),
        ("a = 2 - f", ["f"]),
        ("a = 2 * f", ["f"]),
        ("a = f * tanh(W_a @ x)", ["f"]),
        ("a = f + f", ["f"]),
        ("a = exp(W_a @ x)", ["f"]),
        ("a = f / (f - exp(W_a @ x))", ["f"]),
        ("a = exp(b - min(b, W_a @ x))", ["f"]),
        ("a = sigmoid(b)", ["f"]),  # learnt, and the same at every step
    ],
)
def test_what_is_made_of_gates_may_be_one(equation: str, found: list[str]) -> None:
    program = parse(f"f = sigmoid(W @ x + U @ h + b)\n{equation}\nh = a * prev(h) + f * tanh(V @ x)")
    assert gates(program) == found


@pytest.mark.parametrize("use", ["h = tanh(f + V @ x + h)", "h = 0.5 * f + 0.5 * h", "h = V @ f + h", "h = h + b * f"])
def test_what_multiplies_no_other_value_is_no_gate(use: str) -> None:
    assert gates(parse(f"f = sigmoid(W @ x + U @ h)\n{use}")) == []


def test_a_mixture_by_a_gate_keeps_a_state_in_its_bounds() -> None:
    gru = cells["gru"].program
    assert dict(zip(gru.names, (kinds(gru)[node] for node in gru.names.values()), strict=True)) == {
        "r": "gate", "z": "gate", "n": "signed", "h": "signed",
    }  # fmt: skip
    lstm = cells["lstm"].program
    assert [kinds(lstm)[lstm.names[name]] for name in "fgch"] == ["gate", "signed", "free", "signed"]
    started = parse("z = sigmoid(W @ x)\nh = z * h + (1 - z) * tanh(V @ x)", start={"h": 3})
    assert kinds(started)[started.names["h"]] == "free"


def test_ranges_of_long_texts_are_found_in_time() -> None:
    """What is worked out of a node stays small, however many gates stand before it."""
    lines = [f"g{n} = sigmoid(W{n} @ x) * g{n - 1} + 0.1" if n else "g0 = sigmoid(W0 @ x)" for n in range(300)]
    program = parse("\n".join([*lines, "h = g299 * h + x"]))
    assert ranges(program)[program.names["g1"]][:2] == (0.1, 1.1)
