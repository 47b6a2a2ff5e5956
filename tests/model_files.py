"""Small files of trained networks as the C library opens them, for its tests under sanitizers.

python tests/model_files.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import torch

import gatework as gw
from gatework.layers.description import network_of, weights_of
from gatework.network import Network, Port, Stack, stack
from gatework.network.steps import Add, Affine, Embedding, Join, Linear, LogSoftmax, OneHot, Softmax, Step
from toys.c_toys import Floats, model_file

TOKENS = [b"<unk>", b"a", b"b", "\u00e9".encode(), b"ab"]


def layers() -> dict[str, bytes]:
    """Layers alone: plans of all sorts of blocks."""
    made = {
        "lstm": gw.Recurrent("lstm", 3, 5, 2, residual=True, initial="learned", zoneout={"h": 0.1}),
        "slstm": gw.Recurrent("slstm", 3, 17),
        "projection": gw.Recurrent("layer_norm_lstm", 4, 6, proj_size=3),
    }
    return {name: model_file(network_of(layer), floats(weights_of(layer))) for name, layer in made.items()}


def text(one_hot: bool) -> bytes:
    """A language model of a GRU."""
    width, V = 4, len(TOKENS)
    read: Step = OneHot("ids", "x", V) if one_hot else Embedding("ids", "x", "table")
    layer = gw.Recurrent("gru", V if one_hot else width, 6)
    inner = stack(Stack(layer.cell, layer.input_size, 6), "x")
    steps = (read, *inner, Linear(inner[-1].y, "logits", "W", "b"), LogSoftmax("logits", "log_p"))  # type: ignore[union-attr]
    weights = weights_of(layer) | {"W": torch.randn(V, 6), "b": torch.randn(V)}
    weights |= {} if one_hot else {"table": torch.randn(V, width)}
    network = Network((Port("ids", ("T", "B"), "int64"),), (Port("log_p", ("T", "B", V)),), steps)
    return model_file(network, floats(weights), TOKENS)


def around() -> bytes:
    """What lies around layers, without one."""
    steps: tuple[Step, ...] = (
        Affine("x", "y", 2.0, 0.5),
        Join(("x", "y"), "z"),
        Linear("z", "w", "W"),
        Softmax("w", "v"),
        Add(("w", "v"), "sum"),
    )
    network = Network((Port("x", ("T", "B", 3)),), (Port("sum", ("T", "B", 20)),), steps)
    return model_file(network, {"W": np.ones((20, 6), np.float32)})


def floats(weights: dict[str, torch.Tensor]) -> dict[str, Floats]:
    return {name: tensor.numpy() for name, tensor in weights.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**layers(), "ids": text(False), "one_hot": text(True), "around": around()}.items():
        (folder / f"{name}.gw").write_bytes(content)
