import math
import re
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.text.data.vocabulary import Vocabulary
from gatework.text.model import LanguageModel
from gatework.text.options import RUN, Draw, Shape
from gatework.text.sampling import sample
from gatework.text.writing import chances, unseen

ABC = Vocabulary.of("char", Counter({"a": 9, "b": 5, "c": 4, "d": 2}))
CHANCES = torch.tensor([0.1, 0.4, 0.2, 0.25, 0.05])


def off(**options: Any) -> Draw:
    """A draw with nothing on but these options."""
    return Draw(**({"min_p": 0.0, "repetition": 1.0} | options))


def model(V: int = len(ABC)) -> LanguageModel:
    return LanguageModel("lstm", V, Shape(hidden=6, embedding=4)).eval()


class Fixed(nn.Module):
    """Finds tokens as likely as it is told, whatever came before; counts what it was given."""

    def __init__(self, chances: Tensor) -> None:
        super().__init__()
        self.logit = nn.Parameter(chances.log())
        self.read: list[list[int]] = []

    def logits(self, inputs: Tensor, *_: Any) -> tuple[Tensor, None]:
        self.read.append(inputs[:, 0].tolist())
        return self.logit.expand(*inputs.shape, -1), None


class Scripted(Fixed):
    """Writes the given tokens one after the other."""

    def __init__(self, tokens: list[int], V: int) -> None:
        super().__init__(torch.ones(V))
        self.tokens, self.V = tokens, V

    def logits(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        k = 0 if state is None else state
        sure = torch.full((*inputs.shape, self.V), -1e9)
        sure[..., self.tokens[k]] = 0
        return sure, k + 1


# -- the distribution


def drawn(draw: Draw, likely: Tensor = CHANCES) -> list[float]:
    return chances(draw, likely.log()).tolist()


def test_at_temperature_1_tokens_are_as_likely_as_the_model_says() -> None:
    assert drawn(off()) == pytest.approx(CHANCES.tolist())


def test_the_temperature_is_a_power_of_the_probabilities() -> None:
    squared = [p**2 for p in CHANCES.tolist()]
    assert drawn(off(temperature=0.5)) == pytest.approx([p / sum(squared) for p in squared])


def test_temperature_0_takes_the_likeliest_and_of_equals_the_first() -> None:
    assert drawn(off(temperature=0)) == [0, 1, 0, 0, 0]
    assert drawn(off(temperature=0), torch.tensor([0.2, 0.4, 0.4])) == [0, 1, 0]


@pytest.mark.parametrize("temperature", [1e-300, 1e-10, 1e300])
def test_extreme_temperatures_have_their_limits(temperature: float) -> None:
    expected = [0.2] * 5 if temperature > 1 else [0, 1, 0, 0, 0]
    assert drawn(off(temperature=temperature)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("k", "kept"),
    [(1, [1]), (2, [1, 3]), (3, [1, 2, 3]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 3, 4]), (99, [0, 1, 2, 3, 4])],
)
def test_top_k_keeps_the_k_likeliest(k: int, kept: list[int]) -> None:
    assert drawn(off(top_k=k)) == pytest.approx(share(kept))


@pytest.mark.parametrize(
    ("p", "kept"),
    [
        (1e-9, [1]),
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.64, [1, 3]),
        (0.66, [1, 2, 3]),
        (0.86, [0, 1, 2, 3]),
        (0.96, [0, 1, 2, 3, 4]),
        (1.0, [0, 1, 2, 3, 4]),
    ],
)
def test_top_p_keeps_the_fewest_that_reach_p(p: float, kept: list[int]) -> None:
    assert drawn(off(top_p=p)) == pytest.approx(share(kept))


@pytest.mark.parametrize(("p", "kept"), [(0.25, 1), (0.5, 2), (0.75, 3), (0.76, 4)])
def test_top_p_that_is_reached_exactly_needs_no_further_token(p: float, kept: int) -> None:
    found = chances(off(top_p=p), torch.zeros(4)).tolist()  # a quarter each, to the last bit
    assert found == [1 / kept] * kept + [0.0] * (4 - kept)


def share(kept: list[int]) -> list[float]:
    """The chances of those kept, as shares of their sum."""
    total = sum(CHANCES[k].item() for k in kept)
    return [CHANCES[k].item() / total if k in kept else 0.0 for k in range(5)]


def test_top_p_counts_among_those_that_top_k_left() -> None:
    assert drawn(off(top_k=3, top_p=0.45)) == pytest.approx(share([1]))  # 0.4 of 0.85 is 0.47
    assert drawn(off(top_k=3, top_p=0.5)) == pytest.approx(share([1, 3]))


def test_the_temperature_comes_before_top_p() -> None:
    assert drawn(off(temperature=0.1, top_p=0.9)) == pytest.approx([0, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("share_", "kept"),
    [(0, [0, 1, 2, 3, 4]), (0.12, [0, 1, 2, 3, 4]), (0.13, [0, 1, 2, 3]), (0.26, [1, 2, 3]), (0.6, [1, 3]), (1, [1])],
)
def test_min_p_keeps_what_has_a_share_of_the_likeliests_probability(share_: float, kept: list[int]) -> None:
    assert drawn(off(min_p=share_)) == pytest.approx(share(kept))


def test_the_temperature_comes_before_min_p() -> None:
    assert drawn(off(temperature=0.5, min_p=0.3)) == pytest.approx(
        [0, 0.4**2 / (0.4**2 + 0.25**2), 0, 0.25**2 / (0.4**2 + 0.25**2), 0]
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"top_k": 0}, "top-k is 0"),
        ({"top_p": 0.0}, "top-p is 0.0"),
        ({"top_p": 3.0}, "top-p is 3.0"),
        ({"top_p": math.nan}, "top-p is nan"),
        ({"min_p": -0.1}, "min-p is -0.1"),
        ({"min_p": 1.5}, "min-p is 1.5"),
        ({"min_p": math.nan}, "min-p is nan"),
        ({"repetition": 0.9}, "repetition is 0.9"),
        ({"repetition": math.inf}, "repetition is inf"),
        ({"repetition": math.nan}, "repetition is nan"),
    ],
)
def test_a_draw_that_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Draw(**options)


class Looping(nn.Module):
    """Sure that after a comes b, then c, then d, and a again."""

    def __init__(self) -> None:
        super().__init__()
        sure = torch.full((len(ABC), len(ABC)), 0.01)
        for before, after in ((1, 2), (2, 3), (3, 4), (4, 1)):
            sure[before, after] = 0.96
        self.logit = nn.Parameter(sure.log())

    def logits(self, inputs: Tensor, *_: Any) -> tuple[Tensor, None]:
        return self.logit[inputs], None


# -- the text


def test_tokens_come_as_often_as_they_are_likely() -> None:
    likely = torch.tensor([0.5, 0.2, 0.05, 0.15, 0.1])  # half of it for the unknown, which is never drawn
    text = "".join(sample(Fixed(likely), ABC, "a", 2000, seed=1))
    counts = Counter(text)
    assert len(text) == 2000
    assert counts.keys() == set("abcd")
    for token, letter in enumerate("abcd", 1):
        assert counts[letter] / 2000 == pytest.approx(2 * likely[token].item(), abs=0.04)


def test_the_unknown_token_is_never_drawn_however_sure_the_model_is() -> None:
    likely = torch.tensor([1 - 4e-7, 1e-7, 1e-7, 1e-7, 1e-7])
    for draw in (Draw(), Draw(temperature=0), Draw(top_k=1), Draw(top_p=0.1)):
        assert set("".join(sample(Fixed(likely), ABC, "a", 20, draw=draw, seed=2))) <= set("abcd")


def test_one_seed_writes_one_text() -> None:
    net = model()
    texts = ["".join(sample(net, ABC, "ab", 60, seed=seed)) for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_a_seed_neither_needs_nor_moves_torchs_own_generator() -> None:
    net = model()
    texts = []
    for number in (1, 2):
        torch.manual_seed(number)
        texts.append("".join(sample(net, ABC, "ab", 30, seed=5)))
        assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(number)))
    assert texts[0] == texts[1]


def test_with_all_options_off_tokens_are_drawn_from_the_softmax_and_nothing_else() -> None:
    net, random, state = model(), np.random.default_rng(5), None
    tokens = torch.from_numpy(ABC.encode("ab").astype("int64"))[:, None]
    expected = ""
    for _ in range(60):
        logits, state = net.logits(tokens, state)
        last = logits[-1, 0].double()
        last[0] = -torch.inf
        below = last.softmax(0).cumsum(0)
        tokens = (below <= random.random() * below[-1]).sum()[None, None]  # the first whose sum is above the number
        expected += ABC.tokens[int(tokens)]
    assert "".join(sample(net, ABC, "ab", 60, draw=off(), seed=5)) == expected


# -- repetition


def test_a_loop_that_the_model_is_sure_of_is_left() -> None:
    net = Looping()
    looped = "".join(sample(net, ABC, "abcd", 200, draw=Draw(temperature=0, repetition=1)))
    left = "".join(sample(net, ABC, "abcd", 200, draw=Draw(temperature=0, repetition=1.2)))
    assert looped == "abcd" * 50
    assert left.startswith("abcd" * 3)
    assert max(len(loop) for loop in re.findall("(?:abcd)+", left)) < 60, "ln 96 / ln 1.2 = 25 more than a run of 16"


def test_the_chance_of_a_token_that_repeats_is_divided_once_for_each_token_beyond() -> None:
    """After five rounds an "a" would end a repetition of 17: two too many of 16, which are let pass up to 15."""
    assert RUN["char"] == 16
    likely = torch.tensor([0.0, 0.4, 0.2, 0.2, 0.2])
    for penalty, written in ((1.0, "a"), (1.40, "a"), (1.42, "b")):
        draw = Draw(temperature=0, repetition=penalty)
        assert "".join(sample(Fixed(likely), ABC, "abcd" * 5, 1, draw=draw)) == written


def test_what_does_not_repeat_is_written_as_without_a_penalty() -> None:
    net = model()
    texts = ["".join(sample(net, ABC, "ab", 60, draw=Draw(repetition=each), seed=5)) for each in (1.0, 9.0)]
    assert texts[0] == texts[1]


def test_a_penalty_knows_nothing_of_what_begins_a_document() -> None:
    documents = Vocabulary.of("char", Counter("abcd"), conditions=["x", "y"])
    net = Fixed(torch.tensor([0.0, 0.4, 0.2, 0.2, 0.2, 0.0]))
    assert len("".join(sample(net, documents, "", 40, condition="x", seed=1))) == 40


def test_without_a_seed_texts_differ() -> None:
    net = model()
    assert "".join(sample(net, ABC, "a", 60)) != "".join(sample(net, ABC, "a", 60))


def test_the_state_is_carried() -> None:
    net = model()
    text = "".join(sample(net, ABC, "abc", 25, draw=Draw(temperature=0, repetition=1)))
    written = "abc"
    for _ in range(25):  # each time from the very start
        logits, _ = net.logits(torch.from_numpy(ABC.encode(written).astype("int64"))[:, None])
        written += ABC.tokens[1 + int(logits[-1, 0, 1:].argmax())]
    assert written == "abc" + text


def test_the_prompt_is_read_at_once_then_each_token_alone() -> None:
    net = Scripted([3, 1, 4], len(ABC))
    assert list(sample(net, ABC, "dab", 3)) == ["c", "a", "d", ""]
    fixed = Fixed(torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
    list(sample(fixed, ABC, "dab", 3))
    assert fixed.read == [[4, 1, 2], [1], [1]]


@pytest.mark.parametrize(
    ("vocabulary", "first"),
    [
        (ABC, 1),
        (Vocabulary.of("char", Counter("ab\n")), 1),
        (Vocabulary.of("char", Counter("aab\n")), 2),
        (Vocabulary.of("word", Counter(["to", " ", " "])), 1),
        (Vocabulary("byte"), 10),
    ],
)
def test_an_empty_prompt_is_a_new_line_or_the_commonest_token(vocabulary: Vocabulary, first: int) -> None:
    net = Fixed(torch.ones(len(vocabulary)))
    list(sample(net, vocabulary, "", 1))
    assert net.read == [[first]]


def test_nothing_is_written_at_length_0() -> None:
    net = Fixed(CHANCES)
    assert "".join(sample(net, ABC, "ab", 0)) == ""
    assert net.read == []


def test_a_length_or_seed_that_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="length is -1"):
        sample(model(), ABC, "ab", -1)
    for seed in (-1, 1 << 63):
        with pytest.raises(InputError, match=f"seed is {seed}"):
            sample(model(), ABC, "ab", 1, seed=seed)


def test_text_is_given_as_it_is_written() -> None:
    net = Fixed(CHANCES)
    pieces = sample(net, ABC, "a", 1000, seed=1)
    assert len("".join(islice(pieces, 3))) == 3
    assert len(net.read) == 3


def test_bytes_are_held_back_until_their_character_is_whole() -> None:
    script = list("é€a".encode())
    assert list(sample(Scripted(script, 256), Vocabulary("byte"), "x", 6)) == ["", "é", "", "", "€", "a", ""]


def test_a_character_that_the_end_cuts_is_shown_as_such() -> None:
    pieces = list(sample(Scripted(list("a€".encode()), 256), Vocabulary("byte"), "x", 3))
    assert pieces == ["a", "", "", "\ufffd"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert "".join(sample(Scripted([0xFF, 0x61], 256), Vocabulary("byte"), "x", 2)) == "\ufffda"


def test_words_are_written_whole() -> None:
    vocabulary = Vocabulary.of("word", Counter({" ": 3, "to": 2, "be": 1}))
    assert list(sample(Scripted([3, 1, 2], 4), vocabulary, "or", 3)) == ["be", " ", "to", ""]


def test_sampling_leaves_gradients_on_for_whoever_reads_along() -> None:
    for _ in sample(model(), ABC, "ab", 2, seed=1):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


# -- what the model has never seen


@pytest.mark.parametrize(
    ("vocabulary", "prompt", "new"),
    [
        (ABC, "abba", []),
        (ABC, "", []),
        (ABC, "a<unk>z<", ["<", "u", "n", "k", ">", "z"]),
        (Vocabulary("byte"), "ñ☃", []),
        (Vocabulary.of("word", Counter(["to", " "])), "to be to be", ["be"]),
    ],
)
def test_what_the_vocabulary_has_not_is_named_once(vocabulary: Vocabulary, prompt: str, new: list[str]) -> None:
    assert unseen(vocabulary, prompt) == new


def test_unseen_characters_in_a_prompt_are_read_as_unknown() -> None:
    net = Fixed(CHANCES)
    list(sample(net, ABC, "aéb", 1))
    assert net.read == [[1, 0, 2]]
