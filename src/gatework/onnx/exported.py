"""The one function that users call."""

from importlib import import_module
from pathlib import Path
from typing import Any

from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.layers import Recurrent
from gatework.onnx import described
from gatework.onnx.described import Described


def export(
    model: Any,
    path: str | Path,
    *,
    states: bool = True,
    lengths: bool = False,
    resets: bool = False,
    operators: bool = True,
    opset: int | None = None,
) -> Any:
    """Writes a layer, or what was trained into a run, as a file of ONNX in float32.

    output, h_out = model(x, h): steps T and sequences B are free, states go in and come out by their names. In the
    file's metadata stand the equations, where states start (`start`), and of a run its vocabulary.

    Args:
        model: a gw.Recurrent, gw.LSTM, gw.GRU or gw.RNN; a run folder, or what gw.load makes of one.
        path: the file to write.
        states: inputs `h`, `c`, ... [L*D,B,H] and outputs `h_out`, `c_out`; without them the model begins at its start.
        lengths: an input `lengths` [B], int64: past its length a sequence's state stands still and its output is 0.
        resets: an input `resets` [T,B], bool: before such a step the state is the start again.
        operators: a cell that is ONNX's LSTM, GRU or RNN becomes that operator; False makes it a Scan as all others.
        opset: the version of ONNX's operators, 11 by default: the lowest that has all that is needed.

    Returns:
        The model as it was written, an onnx.ModelProto, which onnx.checker has passed in full.

    Raises:
        InputError: what cannot be exported, and why; the package onnx is missing (pip install 'gatework[onnx]').
    """
    emitter = _needed("gatework.onnx.model")
    what = _described(model)
    chosen = emitter.Options(states and what.stateful, lengths, resets, operators, opset)
    made = emitter.model(what, chosen)
    write_atomically(Path(path), made.SerializeToString())
    return made


def _needed(module: str) -> Any:
    """A module that needs the package onnx; InputError where that is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'gatework[onnx]'") from error


def _described(model: Any) -> Described:
    """What is exported; the jobs are imported for runs alone."""
    if isinstance(model, Recurrent):
        return described.layer(model)
    run: Described | None = import_module("gatework.onnx.runs").trained(model)
    if run is None:
        raise InputError(
            f"a {type(model).__name__} cannot be exported; expected a layer such as gw.LSTM, or a run or its folder"
        )
    return run
