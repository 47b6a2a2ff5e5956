"""A Forecaster on disk: run.json says what was chosen, best.safetensors holds what was learned and the histories."""

from pathlib import Path

import torch

from gatework.errors import InputError
from gatework.forecast.estimator import E, Estimator, Make
from gatework.forecast.fitted import Sizes
from gatework.forecast.model import Ensemble, ensemble_of
from gatework.forecast.run import PARTS, TASK, Arrays, Described, Saved, arrays_of, restored, to_json
from gatework.forecast.tensors import check_sizes
from gatework.forecast.training import untrained
from gatework.runs.folder import DESCRIPTION, describe, description
from gatework.runs.new_run import NewRun, new_run
from gatework.training.checkpoint import Checkpoint, load_checkpoint, put_weights, save_checkpoint
from gatework.training.progress import BEST, Progress


def save(forecaster: Estimator, out: Path, *, overwrite: bool = False) -> None:
    """Writes a fitted Forecaster to the new folder `out`; if anything fails, nothing on the disk has changed."""
    with new_run(out, overwrite=overwrite, resumable=False) as new:
        write(forecaster, new)


def write(forecaster: Estimator, new: NewRun) -> None:
    """Fills and places a new run with a fitted Forecaster."""
    model = forecaster.fitted
    network = ensemble_of(model.fitted)
    describe(new.folder, TASK, **to_json(forecaster, Sizes(network.inputs, network.known_inputs)))
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {name: torch.from_numpy(values) for name, values in arrays_of(model).items()}
    save_checkpoint(new.folder / BEST, tensors, Progress(step=forecaster.options.steps))
    new.place()


def load(path: Path, make: Make[E]) -> E:
    """An estimator that `make` makes, as `save` wrote it, its networks run by torch.

    Raises InputError, naming the file, where it is damaged or another task's.
    """
    values = description(path, TASK)
    checkpoint = load_checkpoint(path / BEST)
    arrays = _arrays(checkpoint)

    def networks(described: Described) -> Ensemble:
        shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.part("model").items()}
        check_sizes(shapes, described.options, described.sizes)
        network = untrained(described.options, arrays["learned"]["offsets"], described.sizes)
        put_weights(checkpoint, network)
        return network.eval()

    return restored(Saved(path / DESCRIPTION, path / BEST, values, arrays), make, networks)


def _arrays(checkpoint: Checkpoint) -> dict[str, Arrays]:
    """What a checkpoint holds beside the networks' weights."""
    try:
        return {part: {name: tensor.numpy() for name, tensor in checkpoint.part(part).items()} for part in PARTS}
    except TypeError as error:  # a type that numpy has not
        raise InputError(f"{checkpoint.path} is damaged: {error}") from error
