"""What an editor and mypy know of a call: tensors, and states with their names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import torch
from torch.nn.utils.rnn import pack_sequence

import gatework as gw

x = torch.zeros(3, 2, 4)
lstm, gru, layer = gw.LSTM(4, 5), gw.GRU(4, 5), gw.Recurrent("slstm", 4, 5)

output, state = lstm(x)
reveal_type(output)  # Tensor
reveal_type(state)  # LSTMState
reveal_type(state.c)  # Tensor
h, c = state
reveal_type(lstm(x, (h, c))[1].h)  # Tensor
reveal_type(lstm(pack_sequence([x[0]]), state)[0])  # PackedSequence
reveal_type(lstm.forward(x)[0])  # Tensor

reveal_type(gru(x, h, lengths=[3, 2])[1])  # Tensor
reveal_type(gw.RNN.from_torch(torch.nn.RNN(4, 5))(x)[1])  # Tensor

values, carried = layer(x, resets=torch.zeros(3, 2, dtype=torch.bool))
reveal_type(values)  # Tensor
reveal_type(carried)  # State
reveal_type(carried.m)  # Tensor
reveal_type(layer(x, carried)[1][0])  # Tensor
"""
MISTAKES = {
    "lstm(x, speed=3)": "speed",
    "layer(x, lengths='many')": "lengths",
    "gru(3)": "gru|argument|overload",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What mypy says of the program with the mistakes after it, line by line; the path it shows may be a cached one."""
    path = tmp_path_factory.mktemp("typing") / "program_of_calls.py"
    path.write_text(PROGRAM + "\n".join(MISTAKES))
    command = [sys.executable, "-m", "mypy", str(path)]
    done = subprocess.run(command, cwd=ROOT, env={"MYPYPATH": "src"}, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    found = re.findall(rf"^.*\b{path.name}:(\d+): (.*)$", done.stdout, re.MULTILINE)
    return {int(line): message for line, message in reversed(found)}


def test_what_a_call_returns_is_known(told):
    expected = {n: line.split("# ")[1] for n, line in enumerate(PROGRAM.split("\n"), 1) if "reveal_type" in line}
    assert list(expected) == sorted(line for line in told if line <= PROGRAM.count("\n"))
    for line, name in expected.items():
        assert re.search(rf'Revealed type is ".*\b{name}]?"', told[line]), told[line]


def test_a_call_that_cannot_be_meant_is_marked(told):
    first = PROGRAM.count("\n") + 1
    assert sorted(line for line in told if line >= first) == list(range(first, first + len(MISTAKES)))
    for line, word in enumerate(MISTAKES.values(), first):
        assert re.search(f"error: .*({word})", told[line]), told[line]
