"""Dynamic evaluation: what is scored is learnt from, by the rule of the paper, and nothing of it stays."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from text_toys import start, tree, write_text
from torch import nn
from torch.nn import functional as F

import gatework as gw
from gatework.text.adaptation import LEAST, RATES, STEPS, Adaptation, Adaptive, adaptive
from gatework.text.data.corpus import Corpus, Counts
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import Shape
from gatework.text.score import Score
from gatework.text.scoring import each, score

ABC = Vocabulary.of("char", Counter("abcdefgh"))
S = STEPS["char"]
SHAPES = {
    "usual": Shape(hidden=6, embedding=4),
    "two layers, tied": Shape(hidden=6, embedding=6, layers=2, tied=True),
    "learned start": Shape(hidden=6, embedding=4, initial="learned", dropout=0.5),
    "one-hot": Shape(hidden=5, embedding=None),
}


@pytest.fixture
def training() -> Any:
    return np.random.default_rng(1).integers(1, len(ABC), 900).astype("<u1")


@pytest.fixture
def tokens() -> Any:
    return np.random.default_rng(3).integers(1, len(ABC), 4 * S + 8).astype("<u1")


def model(cell: str = "lstm", shape: Shape = SHAPES["usual"], conditions: int = 0) -> LanguageModel:
    torch.manual_seed(2)
    net = LanguageModel(cell, len(ABC), shape, conditions)
    nn.init.normal_(net.output.weight, std=1.0)
    return net.eval()


def adapted(net: LanguageModel, tokens: Any, learner: Adaptive, streams: int = 1, **options: Any) -> Score:
    return score(net, ABC, tokens, streams, read=learner, **options)


def weights(net: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in net.state_dict().items()}


def same_weights(net: LanguageModel, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())


def by_the_paper(net: LanguageModel, tokens: Any, roots: list[torch.Tensor], how: Adaptation) -> float:
    """The nats of all segments, each learnt from once it is scored, in so many words."""
    first = [weight.detach().clone() for weight in net.parameters()]
    mean = sum(float(root.sum()) for root in roots) / sum(root.numel() for root in roots)
    state, nats = None, 0.0
    for begin in range(0, len(tokens) - 1, S):
        inputs = torch.from_numpy(tokens[begin : begin + S].astype(np.int64))[:, None]
        targets = torch.from_numpy(tokens[begin + 1 : begin + S + 1].astype(np.int64))
        inputs = inputs[: len(targets)]
        logits, state = net.logits(inputs, None if state is None else tuple(part.detach() for part in state))
        loss = F.cross_entropy(logits[:, 0], targets)
        nats += loss.item() * len(targets)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for weight, gradient, root, was in zip(net.parameters(), gradients, roots, first, strict=True):
                back = (how.decay * root / mean).clamp(max=1) * (was - weight)
                weight.add_(back - how.rate * gradient / (root + LEAST * mean))
    return nats


def test_each_segment_is_learnt_from_by_the_rule_of_the_paper(training: Any, tokens: Any) -> None:
    how = Adaptation(rate=0.05, decay=0.3)
    learner = Adaptive(ABC, training, how)
    net = model()
    roots = learner.roots(net, list(net.parameters()))
    found = adapted(net, tokens, learner).nats
    assert found == pytest.approx(by_the_paper(model(), tokens, roots, how), rel=1e-5)
    assert abs(found - score(net, ABC, tokens).nats) > 0.01, "or it would show nothing"


def test_gradients_are_measured_on_pieces_of_the_training_text(training: Any) -> None:
    """The root of the mean square over pieces of 2 S tokens, by the loss on the second half of each."""
    net = model()
    found = Adaptive(ABC, training).roots(net, list(net.parameters()))
    pieces = (len(training) - 1) // (2 * S)
    even, longer = divmod(len(training) - 1, pieces)
    cuts = [piece * even + min(piece, longer) for piece in range(pieces)]
    squares = [torch.zeros_like(weight) for weight in net.parameters()]
    for begin in cuts:
        ids = torch.from_numpy(training[begin : begin + 2 * S + 1].astype(np.int64))[:, None]
        with torch.no_grad():
            _, state = net.logits(ids[:S])
        logits, _ = net.logits(ids[S:-1], state)
        loss = F.cross_entropy(logits[:, 0], ids[S + 1 :, 0])
        for square, gradient in zip(squares, torch.autograd.grad(loss, list(net.parameters())), strict=True):
            square.add_(gradient**2 / pieces)
    for root, square in zip(found, squares, strict=True):
        torch.testing.assert_close(root, square.sqrt(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
def test_the_weights_are_what_they_were_afterwards(training: Any, tokens: Any, cell: str, shape: str) -> None:
    net = model(cell, SHAPES[shape])
    before = weights(net)
    learner = Adaptive(ABC, training, Adaptation(rate=0.05))
    scores = [adapted(net, tokens, learner) for _ in range(2)]
    assert same_weights(net, before)
    assert scores[0] == scores[1], "nothing is random"
    assert all(weight.grad is None for weight in net.parameters())
    assert scores[0].tokens == len(tokens) - 1


def test_the_weights_are_what_they_were_where_it_is_stopped(training: Any, tokens: Any) -> None:
    net = model()
    before = weights(net)
    seen = []

    def stop(done: int, _: int) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapted(net, tokens, Adaptive(ABC, training, Adaptation(rate=0.5)), progress=stop)
    assert seen == [S, 2 * S, 3 * S]
    assert same_weights(net, before)


def test_a_segment_is_scored_before_it_is_learnt_from(training: Any, tokens: Any) -> None:
    net, learner = model(), Adaptive(ABC, training, Adaptation(rate=0.5))
    plain = [bits for _, bits in each(net, ABC, tokens)]
    learnt = [bits for _, bits in each(net, ABC, tokens, read=learner)]
    assert learnt[:S] == pytest.approx(plain[:S], abs=1e-5)
    assert learnt[S : 2 * S] != pytest.approx(plain[S : 2 * S], abs=1e-3)


@pytest.mark.parametrize("streams", [1, 3])
def test_without_a_rate_it_is_the_score(training: Any, tokens: Any, streams: int) -> None:
    net = model()
    found = adapted(net, tokens, Adaptive(ABC, training, Adaptation(rate=0)), streams)
    assert found.nats == pytest.approx(score(net, ABC, tokens, streams).nats, rel=1e-5)


def test_a_text_that_goes_on_as_it_began_is_learnt(training: Any) -> None:
    net, text = model(), ABC.encode("abacadae" * 60)
    found = adapted(net, text, Adaptive(ABC, training, Adaptation(rate=RATES[-1])))
    assert found.bits_per_token < score(net, ABC, text).bits_per_token - 0.05


def test_documents_are_adapted_to(training: Any) -> None:
    documents = Vocabulary.of("char", Counter("abcdefgh"), conditions=["x", "y"])
    end = len(documents)
    text = np.array([end + 1, 1, 2, 3, end + 2, 4, 5, end + 1, *[1, 2] * 20, end + 2, 3], "<u1")
    net = model(conditions=2)
    before = weights(net)
    learner = Adaptive(documents, np.tile(text, 8))
    found = score(net, documents, text, read=learner)
    assert found.tokens == len(text) - 1
    assert same_weights(net, before)


@pytest.mark.parametrize("text", ["abacadae" * 90, "random"])
def test_the_rate_is_the_one_that_suits_the_validation_text(training: Any, text: str) -> None:
    goes_on = training[:720] if text == "random" else ABC.encode(text)
    whole = np.concatenate([training[:400], goes_on, training[:20]])
    shares = (400 / len(whole), 720 / len(whole), 20 / len(whole))
    corpus = Corpus(Path("nowhere"), ABC, whole, shares, Counts(1, 0, 0, len(whole), 0))
    net = model()
    bits = {
        rate: adapted(net, corpus.validation, Adaptive(ABC, corpus.train, Adaptation(rate))).bits_per_token
        for rate in RATES
    }
    assert adaptive(net, corpus).how.rate == min(bits, key=lambda rate: bits[rate])
    assert len(set(bits.values())) == len(RATES)


def test_without_a_validation_text_the_rate_is_the_usual_one(training: Any) -> None:
    corpus = Corpus(Path("nowhere"), ABC, training, (1.0, 0.0, 0.0), Counts(1, 0, 0, len(training), 0))
    assert adaptive(model(), corpus).how == Adaptation()


@pytest.mark.parametrize("length", [2, S, S + 2])
def test_a_short_training_text_is_enough(tokens: Any, length: int) -> None:
    found = adapted(model(), tokens, Adaptive(ABC, tokens[:length]))
    assert np.isfinite(found.nats)


def test_a_loaded_model_adapts_and_its_run_stays_as_it_is(tmp_path: Path) -> None:
    start(tmp_path / "run", write_text(tmp_path))
    before = tree(tmp_path / "run")
    loaded = gw.load(tmp_path / "run")
    text = "abcabd" * 40
    plain, learnt = loaded.score(text), loaded.score(text, adapt=True)
    assert learnt.bits_per_token < plain.bits_per_token
    assert loaded.score(text) == plain
    assert tree(tmp_path / "run") == before
