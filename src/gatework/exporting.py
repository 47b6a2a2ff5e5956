"""`gw.export`: what was trained as one file, which runs without torch."""

from pathlib import Path

from gatework.errors import InputError
from gatework.layers import Recurrent
from gatework.layers.description import network_of, weights_of
from gatework.runtime import Model


def export(trained: "Recurrent | str | Path", path: str | Path) -> None:
    """Writes a layer, or a run, as one file that `gatework.runtime` opens, and C where it takes steps one by one.

    Args:
        trained: a layer, or the folder of a run. Of a layer the file has what it computes outside training.
        path: the file to write, whole or not at all.

    Raises:
        InputError: for what is neither, a layer that is not float32, and where the file cannot be written.
    """
    if isinstance(trained, str | Path):
        model = Model.open(trained)
    elif isinstance(trained, Recurrent):
        model = model_of(trained)
    else:
        raise InputError(f"trained is {type(trained).__name__}; expected a layer of gatework, or the folder of a run")
    model.save(Path(path))


def model_of(layer: Recurrent) -> Model:
    """A layer as a session runs it."""
    weights = {}
    for name, tensor in weights_of(layer).items():
        if str(tensor.dtype) != "torch.float32":
            raise InputError(f"{name} is {tensor.dtype}; a file has float32: layer.float()")
        weights[name] = tensor.cpu().numpy()
    return Model(Path(layer.cell.name), "layer", network_of(layer), weights, {"cell": layer.cell.name})
