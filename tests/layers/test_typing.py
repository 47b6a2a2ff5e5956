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


@pytest.fixture
def told(tmp_path):
    """What mypy says of a program, line by line."""

    def run(program: str) -> dict[int, str]:
        path = tmp_path / "program.py"
        path.write_text(program)
        command = [sys.executable, "-m", "mypy", str(path)]
        done = subprocess.run(command, cwd=ROOT, env={"MYPYPATH": "src"}, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        found = re.findall(rf"^{re.escape(str(path))}:(\d+): (.*)$", done.stdout, re.MULTILINE)
        return {int(line): message for line, message in reversed(found)}

    return run


def test_what_a_call_returns_is_known(told):
    expected = {n: line.split("# ")[1] for n, line in enumerate(PROGRAM.split("\n"), 1) if "reveal_type" in line}
    revealed = told(PROGRAM)
    assert list(expected) == sorted(revealed)
    for line, name in expected.items():
        assert re.search(rf'Revealed type is ".*\b{name}]?"', revealed[line]), revealed[line]


def test_a_call_that_cannot_be_meant_is_marked(told):
    lines = PROGRAM.count("\n") + 1
    found = told(PROGRAM.replace("reveal_type", "print") + "\n".join(MISTAKES))
    assert sorted(found) == list(range(lines, lines + len(MISTAKES)))
    for line, word in enumerate(MISTAKES.values(), lines):
        assert re.search(f"error: .*({word})", found[line]), found[line]
