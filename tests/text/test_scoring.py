import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.errors import InputError
from gatework.text import scoring
from gatework.text.data.batches import ScoringBatches
from gatework.text.data.prepare import prepare
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import Shape
from gatework.text.score import Score
from gatework.text.scoring import each, mean_loss, score

ABC = Vocabulary.of("char", Counter("abcdefgh"))
LONG = 2 * scoring.SCORING_STEPS + 11  # more than two batches


@pytest.fixture
def tokens() -> Any:
    return np.random.default_rng(3).integers(1, len(ABC), LONG).astype("<u1")


def model(V: int = len(ABC)) -> LanguageModel:
    """An LSTM that no one trained, with opinions."""
    net = LanguageModel("lstm", V, Shape(hidden=6, embedding=4))
    nn.init.normal_(net.output.weight, std=2.0)
    return net.eval()


class Even(nn.Module):
    """Finds all tokens equally likely, but for those told to be impossible."""

    def __init__(self, V: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(V))

    def logits(self, inputs: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        return self.logit.expand(*inputs.shape, -1), None


def by_hand(net: LanguageModel, tokens: Any) -> list[float]:
    """The surprise in nats of every token but the first, one step at a time."""
    state, found = None, []
    with torch.no_grad():
        for before, after in zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True):
            logits, state = net.logits(torch.tensor([[before]]), state)
            found.append(-F.log_softmax(logits[0, 0], 0)[after].item())
    return found


def test_one_stream_is_the_loop_over_steps(tokens: Any) -> None:
    net = model()
    expected = by_hand(net, tokens)
    found = score(net, ABC, tokens)
    assert (found.tokens, found.characters, found.unknown) == (LONG - 1, LONG - 1, 0)
    assert found.nats == pytest.approx(sum(expected), rel=1e-6)
    assert [bits for _, bits in each(net, ABC, tokens)] == pytest.approx([n / math.log(2) for n in expected], abs=1e-5)


def test_each_names_the_tokens_and_adds_up_to_the_score(tokens: Any) -> None:
    net = model()
    found = list(each(net, ABC, tokens))
    assert "".join(token for token, _ in found) == ABC.decode(tokens[1:])
    assert sum(bits for _, bits in found) == pytest.approx(score(net, ABC, tokens).nats / math.log(2), rel=1e-9)


@pytest.mark.parametrize("streams", [1, 2, 3, 7, LONG - 1, LONG + 5])
def test_every_token_but_the_first_is_scored_once(tokens: Any, streams: int) -> None:
    found = score(Even(len(ABC)), ABC, tokens, streams)
    assert found.tokens == LONG - 1
    assert found.nats == pytest.approx((LONG - 1) * math.log(len(ABC)))
    assert found.perplexity == pytest.approx(len(ABC))


def test_each_stream_starts_without_a_past(tokens: Any) -> None:
    net, half = model(), (LONG - 1) // 2
    parts = by_hand(net, tokens[: half + 1]) + by_hand(net, tokens[half:])
    assert score(net, ABC, tokens, 2).nats == pytest.approx(sum(parts), rel=1e-6)


def test_the_mean_loss_counts_tokens_not_streams(tokens: Any) -> None:
    net = model()
    batches = ScoringBatches(tokens, 3, 5)
    assert mean_loss(net, batches) == pytest.approx(score(net, ABC, tokens, 3).nats / (LONG - 1), rel=1e-6)


def test_progress_is_told_up_to_the_end(tokens: Any) -> None:
    told: list[tuple[int, int]] = []
    score(Even(len(ABC)), ABC, tokens, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == [64, 128, LONG - 1]
    assert {total for _, total in told} == {LONG - 1}


@pytest.mark.parametrize("length", [0, 1])
def test_a_text_with_nothing_to_predict_is_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"predicting the next needs at least 2 characters, it has {length}"):
        score(Even(len(ABC)), ABC, np.zeros(length, "<u1"))


# -- bits per character, at every level


def test_a_character_has_its_own_surprise() -> None:
    found = score(Even(8), Vocabulary("char", ("<unk>", *"abcdefg")), np.array([1, 2, 3, 4]))
    assert found.bits_per_character == pytest.approx(3)
    assert found.bits_per_token == pytest.approx(3)


def test_the_bytes_of_a_character_add_up() -> None:
    text = "aé€😀b"  # 1, 2, 3, 4 and 1 bytes
    vocabulary = Vocabulary("byte")
    found = score(Even(256), vocabulary, vocabulary.encode(text))
    assert (found.tokens, found.characters) == (10, 4)
    assert found.bits_per_token == pytest.approx(8)
    assert found.bits_per_character == pytest.approx(8 * 10 / 4)


def test_a_text_of_half_characters_has_no_bits_per_character() -> None:
    found = score(Even(256), Vocabulary("byte"), np.array([0x61, 0xA9, 0xA9], "u1"))
    assert found.characters == 0
    assert found.bits_per_character is None
    assert found.bits_per_token == pytest.approx(8)


def test_the_characters_of_a_word_share_its_surprise() -> None:
    vocabulary = Vocabulary.of("word", Counter(["the", " ", "lstm"]))
    found = score(Even(4), vocabulary, vocabulary.encode("the lstm the"))
    assert (found.tokens, found.characters) == (4, 9)
    assert found.bits_per_token == pytest.approx(2)
    assert found.bits_per_character == pytest.approx(2 * 4 / 9)


def test_an_unknown_character_costs_what_it_takes_to_say_which() -> None:
    found = score(Even(9), ABC, ABC.encode("abz"))
    assert (found.tokens, found.characters, found.unknown) == (2, 2, 1)
    assert found.bits_per_character == pytest.approx(math.log2(9) + math.log2(0x110000) / 2)
    assert found.bits_per_token == pytest.approx(math.log2(9))


def test_unknown_words_leave_the_characters_open() -> None:
    vocabulary = Vocabulary.of("word", Counter(["the", " "]))
    found = score(Even(3), vocabulary, vocabulary.encode("the cat"))
    assert (found.unknown, found.bits_per_character) == (1, None)
    assert found.bits_per_token == pytest.approx(math.log2(3))


def test_levels_can_be_compared(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("größer als größer")
    for level, V in (("byte", 256), ("char", 10), ("word", 4)):
        corpus = prepare([text], tmp_path / level, level=level)  # type: ignore[arg-type]
        assert len(corpus.vocabulary) == V
        found = score(Even(V), corpus.vocabulary, corpus.tokens)
        characters = {"byte": 16, "char": 16, "word": 11}[level]  # all but those of the first token
        assert found.characters == characters
        assert found.bits_per_character == pytest.approx(found.tokens * math.log2(V) / characters)


def test_a_score_is_json() -> None:
    found = Score("word", 4 * math.log(2), 2, 7, 1).to_json()
    assert found == {
        "level": "word",
        "nats": 4 * math.log(2),
        "tokens": 2,
        "characters": 7,
        "unknown": 1,
        "bits_per_token": 2.0,
        "bits_per_character": None,
        "perplexity": pytest.approx(4),
    }


def test_scoring_leaves_the_model_as_it_was(tokens: Any) -> None:
    net = model()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    score(net, ABC, tokens)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
