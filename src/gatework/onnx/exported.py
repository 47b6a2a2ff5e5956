"""The one function that users call."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from torch import nn

from gatework.errors import InputError
from gatework.files.writing import write_atomically
from gatework.layers import Recurrent
from gatework.onnx import described
from gatework.onnx.described import Described


def export(
    model: Any,
    path: str | Path,
    *,
    example: Sequence[Any] | None = None,
    dynamic_shapes: Any = None,
    states: bool = True,
    lengths: bool = False,
    resets: bool = False,
    operators: bool = True,
    opset: int | None = None,
) -> Any:
    """Writes a layer, a trained run, or a module of torch with layers in it, as a file of ONNX in float32.

    output, h_out = model(x, h): steps T and sequences B are free, states go in and come out by their names. In the
    file's metadata stand the equations, where states start (`start`), and of a run its vocabulary or labels.

    Args:
        model: a gw.Recurrent, gw.LSTM, gw.GRU or gw.RNN; a run folder of text, labels, series or pairs, or what gw.load
            makes of one; any other torch.nn.Module, which torch.onnx.export(dynamo=True) then writes with
            `translations`.
        path: the file to write; of a run of pairs words.onnx stands for words.encoder.onnx and words.decoder.onnx, the
            second of which predicts the symbol after each, from the memory and the states that the first gives.
        example: of such a module the inputs that it is traced with.
        dynamic_shapes: of such a module which sizes are free, as torch.onnx.export takes them.
        states: inputs `h`, `c`, ... [L*D,B,H] and outputs `h_out`, `c_out` of a layer, a run of text or a decoder;
            without them it begins at its start, which a decoder has none of.
        lengths: an input `lengths` [B], int64: past its length a sequence's state stands still and its output is 0.
            Runs of labels always have it.
        resets: an input `resets` [T,B], bool: before such a step the state is the start again.
        operators: a cell that is ONNX's LSTM, GRU or RNN becomes that operator; False makes it a Scan as all others.
        opset: the version of ONNX's operators, 11 by default: the lowest that has all that is needed.

    Returns:
        The model as it was written, an onnx.ModelProto, which onnx.checker has passed in full; of a run of pairs a
        mapping of "encoder" and "decoder" to theirs.

    Raises:
        InputError: what cannot be exported, and why; the package onnx is missing (pip install 'gatework[onnx]').
    """
    emitter = _needed("gatework.onnx.model")
    if isinstance(model, nn.Module) and not isinstance(model, Recurrent):
        made = {"": _needed("gatework.onnx.translation").module(model, example, dynamic_shapes, opset)}
    else:
        parts = _described(model)
        if "decoder" in parts and not states:
            raise InputError("states=False (--no-states): the decoder starts from the encoder's states; leave it out")
        options = [
            emitter.Options(states and what.stateful, lengths, resets, operators, opset) for what in parts.values()
        ]
        made = dict(zip(parts, map(emitter.model, parts.values(), options), strict=True))
    for part, one in made.items():
        write_atomically(named(Path(path), part), one.SerializeToString())
    return made.get("", made)


def named(path: Path, part: str) -> Path:
    """The file of a part of a model: words.encoder.onnx of words.onnx; of a whole model the path itself."""
    return path.with_name(f"{path.stem}.{part}{path.suffix}") if part else path


def translations(model: nn.Module) -> Mapping[Any, Any]:
    """What torch.onnx.export(model, ..., dynamo=True) takes as custom_translation_table where layers are in a model.

    Args:
        model: the module that is exported, which has the layers' weights.

    Returns:
        A mapping from operators to functions of onnxscript.

    Raises:
        InputError: where the package onnx or onnxscript is missing.
    """
    table: Mapping[Any, Any] = _needed("gatework.onnx.translation").translations(model)
    return table


def refuse(*_arguments: Any) -> NoReturn:
    """What torch.onnx.export(dynamo=False) asks for the translation of a scan."""
    raise InputError(
        "torch.onnx.export(dynamo=False) cannot write gatework's layers: use gw.onnx.export(model, path, example=(x,))"
    )


with suppress(ImportError):  # torch without its old exporter needs no refusal
    import_module("torch.onnx.utils").register_custom_op_symbolic("gatework::scan", refuse, 9)


def _needed(module: str) -> Any:
    """A module that needs the package onnx; InputError where that is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install 'gatework[onnx]'") from error


def _described(model: Any) -> Mapping[str, Described]:
    """What is exported, by part, "" for a whole model; the jobs are imported for runs alone."""
    if isinstance(model, Recurrent):
        return {"": described.layer(model)}
    run: Mapping[str, Described] | None = import_module("gatework.onnx.runs").trained(model)
    if run is None:
        raise InputError(
            f"a {type(model).__name__} cannot be exported; expected a layer such as gw.LSTM, or a run or its folder"
        )
    return run
