"""An adaptive softmax has torch's probabilities, clusters as its vocabulary has, and goes where a model goes."""

import random
from pathlib import Path

import pytest
import torch
from text_toys import At, go_on, rows, start, write_text
from torch import nn

import gatework as gw
from gatework.errors import InputError
from gatework.inspect.collect import Read
from gatework.runtime import Model, TextSession
from gatework.runtime.code import CODE
from gatework.text.network import CUTOFFS, cutoffs
from gatework.text.options import Batching, Shape
from gatework.text.run import Run
from gatework.text.sizes import MANY_WORDS, OPEN, Choice, words
from gatework.text.softmax import Adaptive
from gatework.training.events import Notice
from gatework.training.settings import Settings
from gatework.verify.comparison import compare

FIRST, SECOND = CUTOFFS
SHAPE = Shape(hidden=16, embedding=5, softmax="adaptive")


@pytest.mark.parametrize(
    ("classes", "begins"),
    [
        (2, (1,)),
        (5, (4,)),
        (FIRST, (FIRST - 1,)),
        (FIRST + 1, (FIRST,)),
        (SECOND, (FIRST,)),
        (SECOND + 1, (FIRST, SECOND)),
        (10_000, (FIRST, SECOND)),
    ],
)
def test_it_is_torchs_over_clusters_that_the_vocabulary_reaches(classes: int, begins: tuple[int, ...]) -> None:
    assert cutoffs(classes, 16) == begins
    own, torchs = Adaptive(16, classes), nn.AdaptiveLogSoftmaxWithLoss(16, classes, begins)
    torchs.load_state_dict(own.state_dict())
    h, targets = torch.randn(3, 4, 16), torch.randint(classes, (3, 4))
    log_p = torchs.log_prob(h.flatten(0, 1))
    compare(own(h).flatten(0, 1), log_p, rms=1e-6, peak=1e-6)
    compare(own(h, targets), -log_p.gather(1, targets.view(-1, 1)).mean(), rms=1e-6, peak=1e-6)


def test_targets_that_are_left_out_count_for_nothing_and_each_weight_has_a_gradient() -> None:
    layer, h, targets = Adaptive(16, SECOND + 9), torch.randn(4, 2, 16), torch.randint(FIRST, (4, 2))
    targets[1] = -100
    loss = layer(h, targets)
    compare(loss, layer(h[[0, 2, 3]], targets[[0, 2, 3]]), rms=1e-7, peak=1e-7)
    loss.backward()
    assert all(weight.grad is not None for weight in layer.parameters())


def test_nothing_of_all_steps_by_all_classes_is_kept() -> None:
    layer, steps = Adaptive(16, 10_000), 2000
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda value: kept.append(value.numel()) or value, lambda value: value
    ):
        layer(torch.randn(steps, 1, 16), torch.arange(steps)[:, None] % FIRST)
    assert kept and max(kept) < 2 * FIRST * steps


def test_what_it_cannot_be_is_refused_with_the_remedy(tmp_path: Path) -> None:
    text = write_text(tmp_path)
    with pytest.raises(InputError, match="no weights to tie"):
        start(tmp_path / "run", text, shape=Shape(hidden=8, embedding=8, tied=True, softmax="adaptive"))
    with pytest.raises(InputError, match="4 units or more; it has 3: more units, or a full softmax"):
        start(tmp_path / "run", text, shape=Shape(hidden=3, embedding=8, softmax="adaptive"))
    start(tmp_path / "run", text, shape=SHAPE)
    with pytest.raises(InputError, match=r"adaptive softmax.*--softmax full"):
        Read.of(tmp_path / "run", str(text), None)
    assert CODE not in Model.open(tmp_path / "run").for_c


def test_a_run_goes_on_as_if_never_stopped_and_adapts(tmp_path: Path) -> None:
    text = write_text(tmp_path)
    for name in ("whole", "parts"):
        start(tmp_path / name, text, shape=SHAPE, steps=12 if name == "whole" else 6)
    start(tmp_path / "again", text, shape=SHAPE)
    assert rows(tmp_path / "again") == rows(tmp_path / "whole")
    go_on(tmp_path / "parts", steps=12)
    assert Run.open(tmp_path / "parts").shape.softmax == "adaptive"
    trained = gw.load(tmp_path / "whole")
    assert trained.score("abcdef" * 9, adapt=True).bits_per_token != trained.score("abcdef" * 9).bits_per_token


def test_words_of_a_large_vocabulary_have_it_where_nothing_is_named(tmp_path: Path) -> None:
    usual = Choice(Settings(epochs=1), Shape(), Batching())
    assert words(usual, OPEN, MANY_WORDS)[0].shape.softmax == "adaptive"
    assert words(usual, OPEN, MANY_WORDS - 1) == (usual, None)
    assert words(usual, set(OPEN) - {"softmax"}, MANY_WORDS) == (usual, None)
    for shape in (Shape(tied=True), Shape(hidden=9)):
        assert words(usual._replace(shape=shape), OPEN, MANY_WORDS)[0].shape == shape
    text = tmp_path / "words.txt"
    drawn = [f"w{number}" for number in range(2 * MANY_WORDS)]
    random.Random(0).shuffle(drawn)
    text.write_text(" ".join(drawn))
    events = At(Notice, 1, lambda: None)
    start(
        tmp_path / "run",
        text,
        level="word",
        shape=Shape(hidden=16, embedding=5),
        steps=1,
        batching=Batching(2, 7),
        left_open=OPEN,
        report=events,
    )
    assert any("adaptive softmax" in str(event) for event in events.events)
    assert TextSession(tmp_path / "run").sample("w1", 5, seed=1) == gw.load(tmp_path / "run").sample("w1", 5, seed=1)
