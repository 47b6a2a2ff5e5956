"""What a model answers: candidates as text and JSON, what is new to it, what each symbol looked at."""

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from pair_toys import QUICK, capitals, frames, reversals

import gatework as gw
from gatework.decoding.hypothesis import Hypothesis
from gatework.errors import InputError
from gatework.pairs.answers import candidates, check_form, source_symbols, source_text, unseen_line, unwritten_line
from gatework.pairs.converter import Search, losses_of
from gatework.pairs.data.batches import batch
from gatework.pairs.data.examples import given_examples
from gatework.pairs.description import Described
from gatework.pairs.options import Options
from gatework.pairs.parts import prepared
from gatework.pairs.picture import heat_map, table

WEIGHTS = np.array([[0.75, 0.25, 0.0], [0.001, 0.0, 0.999]])


def job(**chosen: Any) -> Described:
    options = Options(**{**QUICK, **chosen})
    return prepared(given_examples(*capitals(), options.levels), options, (1.0, 0.0, 0.0))[0]


# -- how wide a search is


@pytest.mark.parametrize("wide", [{"beams": 1001}, {"beams": 100_000}, {"best": 1001}])
def test_a_search_is_as_wide_as_training_allows_at_most(wide: dict[str, int]) -> None:
    (name, value), *_ = wide.items()
    with pytest.raises(InputError, match=f"{name} is {value:,}; expected 1,000 at most"):
        Search(**wide)
    assert Search(beams=1000, best=1000).beams == 1000


# -- candidates


@pytest.mark.parametrize("level", ["char", "byte", "symbol", "word"])
def test_symbols_become_the_text_of_their_level(level: str) -> None:
    made = job(target_level=level)
    text = {"char": "ABC", "byte": "ABC"}.get(level, made.outputs.symbols[1])
    numbers = [made.outputs.symbols.index(each) for each in (text if level in ("char", "byte") else [text])]
    (found,) = candidates(made, [Hypothesis(tuple(numbers), -0.5, -1.5)])
    assert (found.text, found.score, found.log_probability, found.attention) == (text, -0.5, -1.5, None)
    assert found.to_json() == {"target": text, "score": -0.5, "log_probability": -1.5}


def test_attention_is_without_the_row_of_the_end() -> None:
    (found,) = candidates(job(), [Hypothesis((0, 1), -1.0, -1.0, np.ones((3, 4), np.float32))])
    assert found.attention is not None
    assert found.attention.shape == (2, 4)


def test_what_is_new_to_a_model_is_counted() -> None:
    made = job()
    assert unseen_line(made, given_examples(["ab", "cd"]).sources) is None
    assert unseen_line(made, given_examples(["az", "zy"]).sources) == (
        "2 of the characters are new to the model, which reads <unk> for each: 'z' 2, 'y' 1"
    )
    many = unseen_line(made, given_examples(["efghijklmnopqrst"]).sources)
    assert many is not None and many.endswith(" and 4 more")


def test_what_a_model_cannot_write_is_counted() -> None:
    made = job()
    assert unwritten_line(made, [(("A", "B"),), (("C",), ("D",))]) is None
    assert unwritten_line(made, [(("A", "é"),), (("é",), ("D",))]) == (
        "1 of the targets' characters is none that the model writes: they stay wrong, and perplexity is without them: "
        "'é' 2"
    )


def test_sources_are_shown_as_they_were_written() -> None:
    made = job(source_level="symbol")
    assert source_text(made, ("ab", "c")) == "ab c"
    assert source_symbols(made, ("ab", "c")) == ["ab", "c"]
    measured = prepared(given_examples(*frames()), Options(align="ctc", **QUICK), (1.0, 0.0, 0.0))[0]
    assert [source_text(measured, [[1.0]] * count) for count in (1, 2)] == ["1 frame", "2 frames"]
    with pytest.raises(InputError, match=r"X\[0\]: expected texts"):
        check_form(given_examples([[1.0, 2.0]]), made)


def test_a_target_may_be_as_long_as_the_longest_that_was_learnt() -> None:
    search = Search.of(job())
    assert search.longest == max(map(len, capitals()[1]))
    assert Search(longest=40).bounds(np.array([1, 5, 30])) == [40, 40, 70]


# -- how good


def test_the_loss_is_the_mean_over_all_symbols_in_any_batch() -> None:
    fitted = gw.Transducer(**QUICK, device="cpu").fit(*reversals())
    trained = fitted.trained_
    X, y = reversals(40, seed=3)
    whole = given_examples([*X, X[0]], [*y, "ABCDA"])
    encoded = trained._encoded(whole)
    parts = [trained._encoded(whole.take(np.array(rows))) for rows in (range(20), range(20, 40))]
    losses = losses_of(trained.loss, encoded)
    assert losses.symbols.tolist() == [len(x) + 1 + 6 * (x == X[0]) for x in X]
    each = np.concatenate([losses_of(trained.loss, part).nats for part in parts])
    assert each == pytest.approx(losses.nats, abs=1e-5)
    with torch.no_grad():
        (source, lengths), targets = batch(encoded, np.array([3]), np.array([4]), trained.job.end)
        assert float(trained.model((source, lengths), targets)[0]) * len(targets) == pytest.approx(
            losses.nats[3], abs=1e-5
        )
    report = trained.score(whole)
    low, high = report.perplexity_interval or (0, 0)
    assert report.sources == 40
    assert low < np.exp(losses.mean) == report.perplexity < high


# -- pictures


def test_a_table_has_percents_and_points_for_nothing() -> None:
    assert table(["a", " ", "c"], ["A", "BC"], WEIGHTS) == [
        "     a   ␣    c",
        "A   75  25    .",
        "BC   .   .  100",
    ]


def test_a_table_that_does_not_fit_says_what_there_is_most_of() -> None:
    assert table(["a", " ", "3"], ["A", "B"], WEIGHTS, width=10) == ["A: a (1) 75%, ␣ (2) 25%", "B: 3 100%"]


def test_nothing_has_no_rows() -> None:
    assert table(["a"], [], np.zeros((0, 1))) == ["  a"]
    assert ElementTree.fromstring(heat_map(["a"], [], np.zeros((0, 1)))).tag.endswith("svg")


def test_a_heat_map_has_a_cell_for_each_pair_and_escapes_names() -> None:
    svg = ElementTree.fromstring(heat_map(["a", "<", "\x1b"], ["&", "B"], WEIGHTS, title="<one>"))
    cells = [each for each in svg.iter() if each.get("class") == "cell"]
    assert [float(cell.get("fill-opacity", "")) for cell in cells] == pytest.approx(WEIGHTS.flatten(), abs=1e-3)
    assert "".join(cells[1].itertext()) == "& from <: 25.0%"
    names = ["".join(each.itertext()) for each in svg.iter() if each.tag.endswith("text")]
    assert names == ["a", "<", "\\x1b", "&", "B"]
