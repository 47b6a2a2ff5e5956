"""`gatework export`: a trained model as a file that other programs run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatework.cli.arguments import RunFolder

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


def export(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="The one file to write that gatework runs without torch, and C.", metavar="FILE")
    ] = None,
    onnx: Annotated[Path | None, typer.Option(help="The file of ONNX to write.", metavar="FILE")] = None,
    opset: Annotated[
        int | None, typer.Option(help="Version of ONNX's operators.  [default: 11, the lowest that will do]")
    ] = None,
    no_states: Annotated[
        bool, typer.Option("--no-states", help="The states of the layers neither go in nor come out.")
    ] = False,
) -> None:
    """Writes a trained model as one file: for gatework without torch and C, or ONNX (pip install 'gatework[onnx]')."""
    from gatework.errors import InputError

    if onnx is None and out is None:
        raise InputError("nothing to write: name the file, such as --out model.gw or --onnx model.onnx")
    if out is not None:
        from gatework.runtime import Model

        model = Model.open(run)
        model.save(out)
        print(
            f"{out}: {out.stat().st_size / 1e6:.1f} MB, {sum(each.size for each in model.weights.values()):,} weights"
        )
    if onnx is not None:
        from gatework.onnx import export as to_onnx
        from gatework.onnx.exported import named

        made = to_onnx(run, onnx, states=not no_states, opset=opset)
        for part, model in made.items() if isinstance(made, dict) else [("", made)]:
            _say(named(onnx, part), model)


def _say(path: Path, model: "ModelProto") -> None:
    """Prints what was written: what goes in and comes out."""
    version = model.opset_import[0].version
    print(f"{path}: {model.ByteSize() / 1e6:.1f} MB, opset {version}, IR version {model.ir_version}")
    for side, values in (("in", model.graph.input), ("out", model.graph.output)):
        print(f"{side:>4}: " + ", ".join(map(_shown, values)))
    print("metadata: " + ", ".join(each.key for each in model.metadata_props))


def _shown(value: "ValueInfoProto") -> str:
    """A name with its shape: tokens [T,B]."""
    sizes = [size.dim_param or str(size.dim_value) for size in value.type.tensor_type.shape.dim]
    return f"{value.name} [{','.join(sizes)}]"
