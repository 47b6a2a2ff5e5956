"""Runs on the Hugging Face Hub: `pip install 'gatework[hub]'`."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin, snapshot_download

from gatework.errors import InputError, shown
from gatework.files.tensors import read_tensors
from gatework.files.writing import read_json, write_json
from gatework.loading import Trained, load
from gatework.runs.folder import DESCRIPTION, RESULTS, read_description
from gatework.training.progress import BEST, weights_of

__all__ = ["HubRun"]

_FILES = (DESCRIPTION, BEST, RESULTS)  # of a run, what use needs and what it measured
_LIBRARY = "gatework"
_USES = {  # of a task: what it is called on the Hub, what uses it, what its limits are
    "language": (
        "text-generation",
        "print(model.sample(100))",
        "It writes text like the one it was trained on, right or wrong; it answers no questions.",
    ),
    "series": (
        "time-series-forecasting",
        "print(model.predict())",
        "It forecasts the series it was trained on, whose histories are in the weights' file.",
    ),
    "labels": (
        None,
        "print(model.predict(sequences))",
        "It knows the labels that it was trained on alone, and is as good as the figures above on data like that.",
    ),
    "pairs": (
        None,
        "print(model.predict(sources))",
        "It converts sources like those it was trained on; it is as good as the figures above on data like that.",
    ),
}


class HubRun(ModelHubMixin):
    """A run of gatework as a repository of models: save_pretrained, push_to_hub, from_pretrained.

    The repository has what use needs, run.json and the best weights, what was measured, and a card written from them;
    not the training data, which the card names. Nothing of it is executed when it is loaded.

    Args:
        run: the folder of a run, of `gatework train` or an estimator's `save`.

    Raises:
        InputError: for a folder that is no run.
    """

    def __init__(self, run: str | Path) -> None:
        self._hub_mixin_config = {"library": _LIBRARY}  # config.json, by which the Hub counts downloads
        self.run = Path(run)
        self.description = read_description(self.run)

    def load(self, *, device: str = "cpu") -> Trained:
        """What was trained, as `gatework.load` gives it."""
        return load(self.run, device=device)

    def _save_pretrained(self, save_directory: Path) -> None:
        write_json(save_directory / DESCRIPTION, _without_folders(self.description))
        shutil.copyfile(weights_of(self.run), save_directory / BEST)
        if (self.run / RESULTS).exists():
            shutil.copyfile(self.run / RESULTS, save_directory / RESULTS)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "HubRun":
        if model_kwargs:
            raise InputError(f"from_pretrained has no argument {next(iter(model_kwargs))!r}: a run is loaded as it is")
        if Path(model_id).is_dir():
            return cls(model_id)
        folder = snapshot_download(
            model_id,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            allow_patterns=list(_FILES),
        )
        return cls(folder)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:  # noqa: ARG002, as the mixin calls it
        """The card: what it is, its sizes, what it measured, the data's name, how to use it, its limits."""
        pipeline, use, limits = _USES[self.description["task"]]
        data = ModelCardData(library_name=_LIBRARY, pipeline_tag=pipeline, tags=["recurrent", self._cell])
        repository = kwargs.get("repo_id") or "OWNER/NAME"
        sections = [
            f"---\n{data.to_yaml()}\n---",
            f"# {self._cell} of [gatework](https://github.com/gatework/gatework), task {self.description['task']}",
            f"Trained on {self._data}. {self._parameters:,} numbers in {BEST}.",
            "## Sizes and settings",
            _table(self._settings()),
            "## Measured",
            _table(self._measured()) or "Nothing was held out of this run.",
            "## Use",
            "```python\nfrom gatework.adapters.hub import HubRun\n\n"
            f'model = HubRun.from_pretrained("{repository}").load()\n{use}\n```',
            "Needs `pip install 'gatework[hub]'`. Loading runs no code of this repository.",
            f"## Limits\n\n{limits}",
        ]
        return ModelCard("\n\n".join(sections) + "\n")

    @property
    def _cell(self) -> str:
        values = self.description
        return str((values.get("cell") or values["options"]["cell"])["name"])

    @property
    def _data(self) -> str:
        """The names of the files that it learned from."""
        source = self.description.get("text", {}).get("paths") or self.description.get("source")
        names = source if isinstance(source, list) else [source] if source else []
        return ", ".join(PurePath(name).name for name in names) or "data whose name is not in the run"

    @property
    def _parameters(self) -> int:
        return sum(values.size for values in read_tensors(weights_of(self.run)).part("model").values())

    def _settings(self) -> Iterator[tuple[str, Any]]:
        for part in ("shape", "options", "batching", "settings"):
            yield from _numbers(self.description.get(part, {}))

    def _measured(self) -> Iterator[tuple[str, Any]]:
        if (self.run / RESULTS).exists():
            yield from _numbers(read_json(self.run / RESULTS))
        yield from _numbers(self.description.get("scores", {}))


def _numbers(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers and words in a dict and those in it, by name."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{name} ")
        elif isinstance(value, str | int | float):
            yield f"{above}{name}", value


def _table(rows: Iterator[tuple[str, Any]]) -> str:
    """Rows of Markdown; "" for none."""
    lines = [f"| {name} | {f'{value:.5g}' if isinstance(value, float) else shown(value)} |" for name, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else ""


def _without_folders(value: Any) -> Any:
    """A JSON value whose absolute paths are names alone, as the folders of a machine are nobody's business."""
    if isinstance(value, dict):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
