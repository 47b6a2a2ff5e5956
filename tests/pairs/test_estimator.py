import io
import pickle
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pair_toys import QUICK, capitals, frames, reversals
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import gatework as gw
from gatework.errors import InputError
from gatework.training.events import Step, StopTraining


def made(**chosen: Any) -> gw.Transducer:
    return gw.Transducer(**{**QUICK, "device": "cpu", **chosen})


@pytest.fixture(scope="module")
def fitted() -> gw.Transducer:
    return made(steps=120).fit(*reversals())


# -- learning


def test_pairs_are_learnt(fitted: gw.Transducer) -> None:
    X, y = reversals()
    assert fitted.score(X, y) > 0.7
    predicted = fitted.predict(X)
    assert predicted.shape == (len(X),)
    assert fitted.score(X, y) == pytest.approx(np.mean(predicted == np.array(y)))


def test_frames_are_learnt_by_ctc() -> None:
    X, y = frames()
    transducer = made(align="ctc", steps=80).fit(X, y)
    assert transducer.score(X, y) > 0.9
    assert transducer.trained_.job.form == "frames"


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda values: np.array(values, object)])
def test_texts_come_in_any_kind_of_table(kind: Any) -> None:
    X, y = capitals(40)
    expected = made(steps=3).fit(X, y).predict(X).tolist()
    assert made(steps=3).fit(kind(X), kind(y)).predict(kind(X)).tolist() == expected


def test_symbols_are_given_as_lists_or_with_spaces_between() -> None:
    X, y = capitals(40)
    spelled = [[list(text)] for text in y]  # a list of the targets that are accepted, each a list of symbols
    one = made(steps=3, target_level="symbol").fit(X, spelled)
    two = made(steps=3, target_level="symbol").fit(X, [" ".join(text) for text in y])
    assert one.predict(X).tolist() == two.predict(X).tolist()
    assert set("".join(one.predict(X)).replace(" ", "")) <= set("ABCD")


def test_a_source_in_several_rows_is_right_with_any_of_its_targets(fitted: gw.Transducer) -> None:
    one, two = reversals()[0][:2]
    first, second = fitted.predict([one, two]).tolist()
    assert fitted.score([one, one, two], [first, "XX", second]) == 1
    assert fitted.score([one, two], [["XX", first], "XX"]) == 0.5


def test_the_same_seed_learns_the_same_and_disturbs_nobody() -> None:
    X, y = reversals(60)
    before, numpys = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]
    one, two, other = (made(steps=5, random_state=seed).fit(X, y) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpys  # type: ignore[index]
    weights = [each.trained_.model.output.weight for each in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_few_sources_are_all_trained_on() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        made(steps=2, verbose=True).fit(*reversals(40))
    assert "validation" not in printed.getvalue()
    assert "finished at step 2" in printed.getvalue()


def test_a_report_hears_of_the_training_and_ends_it() -> None:
    heard: list[object] = []

    def report(event: object) -> None:
        heard.append(event)
        if isinstance(event, Step) and event.step == 3:
            raise StopTraining

    assert made(steps=2000, report=report).fit(*reversals(40)).predict(["ab"]).shape == (1,)
    assert [event.step for event in heard if isinstance(event, Step)] == [1, 2, 3]


def test_the_best_weights_are_kept_and_printed() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        made(steps=4, verbose=True).fit(*reversals(120))
    assert "step 0: validation " in printed.getvalue()
    assert "% wrong" in printed.getvalue()


def test_the_sizes_that_were_chosen_are_there() -> None:
    transducer = gw.Transducer(steps=1, device="cpu").fit(*reversals(40))
    assert transducer.hidden is None
    assert transducer.options_.hidden is not None


# -- candidates


def test_candidates_come_best_first_with_scores_and_attention(fitted: gw.Transducer) -> None:
    (found,) = fitted.candidates(["abcd"], best=4)
    assert len(found) == 4
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert found[0].text == fitted.predict(["abcd"])[0] == "".join(found[0].symbols)
    weights = found[0].attention
    assert weights is not None and weights.shape == (len(found[0].symbols), 4)
    assert weights.sum(1) == pytest.approx(1, abs=1e-5)
    assert len({each.text for each in found}) == 4
    assert all(each.log_probability < 0 for each in found)


def test_a_decoder_without_attention_has_none() -> None:
    (found,) = made(attention="none", steps=2).fit(*reversals(40)).candidates(["ab"], best=1)
    assert found[0].attention is None


# -- what scikit-learn asks


def test_parameters_are_those_given_and_survive_cloning() -> None:
    transducer = made(recurrent={"zoneout": {"h": 0.1}}, align="ctc")
    assert clone(transducer).get_params() == transducer.get_params()
    assert repr(clone(transducer)) == repr(transducer)
    assert repr(gw.Transducer()) == "Transducer()"
    assert "align='ctc'" in repr(transducer)
    with pytest.raises(InputError, match="has no argument 'hiden'"):
        transducer.set_params(hiden=3)


def test_cross_validation_and_grid_search() -> None:
    X, y = reversals(60)
    assert cross_val_score(made(steps=3), X, y, cv=2).shape == (2,)
    search = GridSearchCV(made(steps=2), {"hidden": np.array([4, 8])}, cv=2).fit(X, y)
    assert search.best_params_["hidden"] in (4, 8)


def test_a_pipeline_ends_in_one() -> None:
    X, y = reversals(60)
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = Pipeline([("lower", lower), ("model", made(steps=2))]).fit([text.upper() for text in X], y)
    assert len(pipeline.predict(X)) == 60


def test_a_fitted_one_can_be_pickled(fitted: gw.Transducer) -> None:
    X, _ = reversals(5)
    assert pickle.loads(pickle.dumps(fitted)).predict(X).tolist() == fitted.predict(X).tolist()


def test_gatework_does_not_import_scikit_learn() -> None:
    code = "import sys, gatework; gatework.Transducer(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


# -- keeping


def test_what_is_saved_predicts_the_same(fitted: gw.Transducer, tmp_path: Path) -> None:
    X, _ = reversals()
    fitted.save(tmp_path / "run")
    loaded = gw.load(tmp_path / "run")
    assert isinstance(loaded, gw.Transducer)
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()
    assert (loaded.hidden, loaded.beams) == (16, 5)
    with pytest.raises(InputError, match="exists: overwrite it, or name another one"):
        fitted.save(tmp_path / "run")
    fitted.save(tmp_path / "run", overwrite=True)


def test_another_kind_of_run_is_refused(tmp_path: Path) -> None:
    made_of_labels = gw.SequenceClassifier(hidden=3, steps=2, device="cpu").fit(["ab", "ba"] * 5, ["x", "y"] * 5)
    made_of_labels.save(tmp_path / "run")
    with pytest.raises(InputError, match="is a run of task 'labels'; expected 'pairs'"):
        gw.Transducer.load(tmp_path / "run")


# -- what is refused


@pytest.mark.parametrize(
    ("chosen", "X", "y", "said"),
    [
        ({}, ["ab"], None, "y is None"),
        ({}, "ab", ["x"], "X is"),
        ({}, ["ab", 3], ["x", "y"], r"X\[1\]"),
        ({}, ["ab"], [4], "the target is 4"),
        ({"validation": 1.5}, ["ab"], ["x"], "validation is 1.5"),
        ({"verbose": "yes"}, ["ab"], ["x"], "verbose is 'yes'"),
        ({"hidden": "many"}, ["ab"], ["x"], "hidden is 'many'"),
    ],
)
def test_what_cannot_be_learnt_is_named(chosen: dict[str, Any], X: Any, y: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(**chosen).fit(X, y)


def test_nothing_is_predicted_before_anything_is_learnt() -> None:
    with pytest.raises(InputError, match="not fitted: call fit, or load a run"):
        made().predict(["ab"])
    with pytest.raises(InputError, match="not fitted"):
        made().save("nowhere")


def test_frames_are_not_texts(fitted: gw.Transducer) -> None:
    with pytest.raises(InputError, match=r"X\[0\]: expected texts, as the model was trained on"):
        fitted.predict([[1.0, 2.0]])
