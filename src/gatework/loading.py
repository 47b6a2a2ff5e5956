"""Any run folder as what was trained, ready to use."""

import os
from pathlib import Path

from gatework.errors import InputError
from gatework.forecast import run as forecast_run
from gatework.forecast.forecaster import Forecaster
from gatework.labels import description as labels_run
from gatework.labels.estimators import ESTIMATORS, SequenceClassifier, SequenceRegressor, Tagger
from gatework.labels.run import Run
from gatework.pairs import description as pairs_run
from gatework.pairs.estimator import Transducer
from gatework.runs.folder import read_description
from gatework.text import description as language_run
from gatework.text.trained import TextModel

Trained = TextModel | Forecaster | SequenceClassifier | SequenceRegressor | Tagger | Transducer


def load(run: str | Path, *, device: str = "cpu") -> Trained:
    """What was trained into a run folder, ready to use; nothing in the folder is executed.

    Args:
        run: the folder.
        device: where it computes; series are forecast on the CPU.

    Returns:
        Of `gatework train text` a TextModel, which has sample, score, surprises and log_probabilities; of `train
        series` or Forecaster.save a Forecaster, which has predict and plot; of `train labels` or an estimator's save
        the SequenceClassifier, SequenceRegressor or Tagger, which has predict and score; of `train pairs` or
        Transducer.save a Transducer, which has predict, candidates and score.

    Raises:
        InputError: naming folder or file, for a folder that is no run, and for a run that is damaged.
    """
    if not isinstance(run, str | os.PathLike):
        raise InputError(f"run is {run!r}; expected the path of a run folder")
    folder = Path(run)
    match read_description(folder).get("task"):
        case language_run.TASK:
            return TextModel.load(folder, device=device)
        case labels_run.TASK:
            return ESTIMATORS[Run.open(folder).job.kind].load(folder, device=device)
        case pairs_run.TASK:
            return Transducer.load(folder, device=device)
        case forecast_run.TASK if device == "cpu":
            return Forecaster.load(folder)
        case forecast_run.TASK:
            raise InputError(f"device is {device!r}, and {folder} is a run of series, which are forecast on the CPU")
        case task:
            raise InputError(f"{folder} is a run of task {task!r}, which this gatework does not know")
