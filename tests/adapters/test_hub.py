"""Runs as repositories of the Hugging Face Hub, in folders of this machine."""

import json
from pathlib import Path

import pytest
from forecast_toys import quick, seasonal, table
from torch import from_numpy

import gatework as gw
from gatework.adapters.hub import HubRun
from numerics import same


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "labels"
    X, y = [[0.0, 1.0] * 3, [1.0, 0.0] * 3] * 4, ["a", "b"] * 4
    gw.SequenceClassifier(hidden=3, steps=2, branch="none", random_state=0).fit(X, y).save(run)
    return run


def test_what_comes_back_predicts_as_what_was_saved(labels: Path, tmp_path: Path):
    HubRun(labels).save_pretrained(tmp_path / "saved")
    X = [[0.0, 1.0, 1.0], [1.0, 0.0]]
    back = HubRun.from_pretrained(tmp_path / "saved").load()
    same(from_numpy(back.predict_proba(X)), from_numpy(gw.load(labels).predict_proba(X)))


def test_a_repository_has_what_use_needs_and_no_folders_of_this_machine(labels: Path, tmp_path: Path):
    about = json.loads((labels / "run.json").read_text())
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps(about | {"source": "/home/someone/secret/reviews.csv"}))
    (run / "best.safetensors").write_bytes((labels / "best.safetensors").read_bytes())
    (run / "tokens.bin").write_bytes(b"the training data")
    HubRun(run).save_pretrained(tmp_path / "saved")
    written = {path.name for path in (tmp_path / "saved").iterdir()}
    assert written == {"run.json", "best.safetensors", "config.json", "README.md"}
    for name in ("run.json", "config.json", "README.md"):
        assert "secret" not in (tmp_path / "saved" / name).read_text()
    assert "Trained on reviews.csv." in (tmp_path / "saved" / "README.md").read_text()


def test_the_card_says_sizes_measures_use_and_limits(labels: Path, tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    for path in labels.iterdir():
        if path.is_file():
            (run / path.name).write_bytes(path.read_bytes())
    (run / "results.json").write_text(json.dumps({"test": {"accuracy": 0.8125}}))
    card = HubRun(run).generate_model_card(repo_id="someone/letters")
    assert card.data.library_name == "gatework" and "lstm" in card.data.tags
    parameters = sum(each.numel() for each in gw.load(run).model_.parameters())
    assert f"{parameters:,} numbers in best.safetensors" in card.text
    assert "| hidden | 3 |" in card.text and "| test accuracy | 0.8125 |" in card.text
    assert 'HubRun.from_pretrained("someone/letters")' in card.text and "## Limits" in card.text


def test_a_forecaster_comes_back_too(tmp_path: Path):
    forecaster = quick(3, season=12).fit(table(seasonal(60)))
    forecaster.save(tmp_path / "run")
    HubRun(tmp_path / "run").save_pretrained(tmp_path / "saved")
    back = HubRun.from_pretrained(tmp_path / "saved").load()
    same(from_numpy(back.forecasts()[0].quantiles), from_numpy(forecaster.forecasts()[0].quantiles))


def test_what_is_no_run_is_refused(tmp_path: Path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(gw.InputError, match="is no run that this gatework reads"):
        HubRun.from_pretrained(tmp_path)
