"""Beam search, on decoders that are tables of numbers."""

import math
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from gatework.decoding.beam import beam_search
from gatework.errors import InputError

V, END = 3, 3


class Table:
    """A decoder whose log probabilities are a random function of the sentence and of all symbols so far.

    names: of its sentences, which seed them; a sentence is the same in any batch.
    """

    def __init__(self, names, symbols: int = V, attends: bool = True) -> None:
        self.names, self.sentences, self.symbols, self.attends = names, len(names), symbols, attends
        self.rows = [(name,) for name in names]
        self.asked: list[list[tuple]] = []
        self.attention = None

    def log_probabilities(self, prefix: tuple) -> np.ndarray:
        drawn = np.random.default_rng([hash_of(prefix), 1]).standard_normal(self.symbols + 1) * 1.5
        return (drawn - np.logaddexp.reduce(drawn)).astype(np.float32)

    def step(self, tokens, parents):
        begins = not self.asked
        self.rows = [
            self.rows[parent] if begins else (*self.rows[parent], int(token))
            for token, parent in zip(tokens, parents, strict=True)
        ]
        if begins:
            assert (tokens == self.symbols).all() and parents.tolist() == list(range(self.sentences))
        self.asked.append(self.rows)
        if self.attends:
            self.attention = np.array([[hash_of(row), len(row)] for row in self.rows], np.float64)
        return np.array([self.log_probabilities(row) for row in self.rows])


def hash_of(prefix: tuple) -> int:
    return sum((symbol + 2) * 7**place for place, symbol in enumerate(prefix)) % 2**31


def log_probability(table: Table, name: int, tokens: tuple[int, ...]) -> float:
    prefixes = [(name, *tokens[:length]) for length in range(len(tokens) + 1)]
    return sum(
        float(table.log_probabilities(prefix)[symbol])
        for prefix, symbol in zip(prefixes, (*tokens, table.symbols), strict=True)
    )


def every(longest: int) -> list[tuple[int, ...]]:
    return [tokens for T in range(longest + 1) for tokens in product(range(V), repeat=T)]


def by_hand(table: Table, name: int, beams: int, longest: int) -> dict[tuple[int, ...], float]:
    """All that end in a search of one sentence, as a plain loop."""
    live, ended = {(): 0.0}, {}
    for length in range(longest + 1):
        ways = {
            (tokens, symbol): value + float(table.log_probabilities((name, *tokens))[symbol])
            for tokens, value in live.items()
            for symbol in range(V + 1)
            if symbol == END or length < longest
        }
        chosen = sorted(ways, key=lambda way: -ways[way])[:beams]
        beams -= sum(symbol == END for _, symbol in chosen)
        ended |= {tokens: ways[tokens, symbol] for tokens, symbol in chosen if symbol == END}
        live = {(*tokens, symbol): ways[tokens, symbol] for tokens, symbol in chosen if symbol != END}
    return ended


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_with_beams_for_all_it_is_exhaustive(power):
    names, longest = [0, 1, 2, 3], 3
    table, sequences = Table(names), every(longest)
    found = beam_search(
        table, end=END, beams=len(sequences), best=len(sequences), longest=[longest] * 4, length_normalisation=power
    )
    for name, hypotheses in zip(names, found, strict=True):
        logs = {tokens: log_probability(table, name, tokens) for tokens in sequences}
        ranked = sorted(sequences, key=lambda tokens: -logs[tokens] / (len(tokens) + 1) ** power)
        assert [each.tokens for each in hypotheses] == ranked
        for each in hypotheses:
            assert each.log_probability == pytest.approx(logs[each.tokens], abs=1e-5)
            assert each.score == pytest.approx(logs[each.tokens] / (len(each.tokens) + 1) ** power, abs=1e-5)


@pytest.mark.parametrize("beams", [1, 2, 3, 8])
def test_it_is_the_plain_loop(beams):
    names = list(range(30))
    table = Table(names)
    longest = [name % 6 for name in names]
    for name, hypotheses in zip(
        names, beam_search(table, end=END, beams=beams, best=beams, longest=longest), strict=True
    ):
        expected = by_hand(table, name, beams, longest[name])
        assert {each.tokens for each in hypotheses} == set(expected)
        for each in hypotheses:
            assert each.log_probability == pytest.approx(expected[each.tokens], abs=1e-5)


@pytest.mark.parametrize("beams", [1, 3, 7])
def test_a_sentence_does_not_depend_on_the_others(beams):
    names = list(range(12))
    longest = [name % 5 for name in names]
    together = beam_search(Table(names), end=END, beams=beams, best=beams, longest=longest)
    for name in names:
        (alone,) = beam_search(Table([name]), end=END, beams=beams, best=beams, longest=[longest[name]])
        assert [(each.tokens, each.score) for each in alone] == [(each.tokens, each.score) for each in together[name]]
        for one, other in zip(alone, together[name], strict=True):
            np.testing.assert_array_equal(one.attention, other.attention)


def test_one_beam_takes_the_likeliest_symbol_each_time():
    names = list(range(20))
    table = Table(names)
    for name, (best,) in zip(names, beam_search(table, end=END, beams=1, longest=[8] * 20), strict=True):
        tokens: list[int] = []
        while len(tokens) < 8:
            symbol = int(table.log_probabilities((name, *tokens)).argmax())
            if symbol == END:
                break
            tokens.append(symbol)
        assert best.tokens == tuple(tokens)


def test_attention_has_a_row_for_each_symbol_of_its_own_hypothesis():
    found = beam_search(Table([4, 5]), end=END, beams=3, best=3, longest=[5, 5])
    for name, hypotheses in zip([4, 5], found, strict=True):
        for each in hypotheses:
            prefixes = [(name, *each.tokens[:length]) for length in range(len(each.tokens))]
            expected = np.array([[hash_of(prefix), len(prefix)] for prefix in prefixes]).reshape(-1, 2)
            np.testing.assert_array_equal(each.attention, expected)
    assert beam_search(Table([4], attends=False), end=END, longest=[3])[0][0].attention is None


def test_what_has_ended_is_asked_no_more():
    table = Table(list(range(8)))
    beam_search(table, end=END, beams=3, longest=[0, 6, 6, 6, 1, 2, 3, 4])
    rows = [len(asked) for asked in table.asked]
    assert rows[0] == 8 and max(rows) <= 24 and len(rows) <= 7
    for asked in table.asked:
        names = [row[0] for row in asked]
        assert names == sorted(names) and len(set(asked)) == len(asked)
    assert not any(row[0] == 0 for asked in table.asked[1:] for row in asked)


def test_best_are_in_order_and_no_more_than_asked():
    found = beam_search(Table(list(range(9))), end=END, beams=6, best=4, longest=[4] * 9)
    for hypotheses in found:
        scores = [each.score for each in hypotheses]
        assert scores == sorted(scores, reverse=True) and len(scores) == 4
        assert len({each.tokens for each in hypotheses}) == 4


def test_ties_go_to_the_earlier_hypothesis_and_symbol_in_any_batch():
    class Even(Table):
        def log_probabilities(self, prefix: tuple) -> np.ndarray:  # noqa: ARG002
            return np.full(V + 1, -math.log(V + 1), np.float32)

    one = beam_search(Even([0]), end=END, beams=2, best=2, longest=[2])[0]
    many = beam_search(Even(list(range(50))), end=END, beams=2, best=2, longest=[2] * 50)
    assert [each.tokens for each in one] == [(0, 0), (0, 1)]
    assert all([each.tokens for each in own] == [each.tokens for each in one] for own in many)


def test_impossible_symbols_are_never_taken():
    class Never(Table):
        def log_probabilities(self, prefix: tuple) -> np.ndarray:
            made = super().log_probabilities(prefix)
            made[1] = -np.inf
            return made

    for hypotheses in beam_search(Never(list(range(5))), end=END, beams=30, best=30, longest=[3] * 5):
        assert hypotheses and all(1 not in each.tokens and math.isfinite(each.score) for each in hypotheses)


def test_a_decoder_that_is_broken_is_named():
    class Broken(Table):
        def log_probabilities(self, prefix: tuple) -> np.ndarray:
            return super().log_probabilities(prefix) * np.nan

    with pytest.raises(InputError, match=r"^the decoder's log probabilities hold NaN: "):
        beam_search(Broken([0]), end=END, longest=[3])


def test_no_sentences_are_no_results():
    assert beam_search(Table([]), end=END, longest=[]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, r"^beams is 0; expected a whole number of at least 1$"),
        ({"beams": 2.0}, r"^beams is 2.0; expected"),
        ({"best": True}, r"^best is True; expected"),
        ({"best": 6}, r"^best is 6, beams 5: .* give more beams$"),
        ({"longest": [1]}, r"^longest is \[1\]; expected a number of symbols for each of 2 sentences$"),
        ({"longest": [1, -1]}, r"^longest is \[1, -1\]; expected"),
        ({"length_normalisation": -0.1}, r"^length_normalisation is -0.1; expected a number of at least 0$"),
        ({"length_normalisation": math.nan}, r"^length_normalisation is nan; expected"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        beam_search(Table([0, 1]), **{"end": END, "longest": [3, 3]} | options)


def test_it_needs_no_torch():
    code = "import sys, gatework.decoding.beam; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
