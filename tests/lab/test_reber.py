import re

import torch

from gatework.lab.reber import LEGAL, SYMBOLS, Stream, legal_lead, may_follow, strings

# The grammar once more, as a regular expression.
LOOP = r"(?:XT*VP)*"  # back from the fourth state to itself
FROM_4 = rf"{LOOP}(?:S|XT*VV)"
FROM_3 = rf"T*V(?:V|P{FROM_4})"
REBER = rf"B(?:TS*X{FROM_4}|P{FROM_3})E"
EMBEDDED = re.compile(rf"BT{REBER}TE|BP{REBER}PE")


def spelt(string: list[int]) -> str:
    return "".join(SYMBOLS[symbol] for symbol in string)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_strings_are_of_the_grammar_and_differ():
    drawn = [spelt(string) for string in strings(512, seeded())]
    assert all(EMBEDDED.fullmatch(string) for string in drawn)
    assert len(set(drawn)) == 512
    assert drawn == [spelt(string) for string in strings(512, seeded())]


def test_the_shortest_strings_have_nine_symbols():
    drawn = [spelt(string) for string in strings(256, seeded())]
    assert {"BTBTXSETE", "BPBPVVEPE"} <= set(drawn)
    assert min(map(len, drawn)) == 9


def test_what_may_follow_includes_what_does():
    for string in strings(100, seeded(1)):
        legal = may_follow(string)
        assert all(legal[t][string[t + 1]] for t in range(len(string) - 1))
        assert all(1 <= sum(row) <= 2 for row in legal)


def test_the_last_but_one_symbol_is_the_second_alone():
    for string in strings(100, seeded(2)):
        may = may_follow(string)[-3]
        assert [SYMBOLS[symbol] for symbol in range(7) if may[symbol]] == [SYMBOLS[string[1]]]


def test_a_stream_is_strings_one_after_another():
    stream = Stream(3, seeded())
    pieces = [stream.take(T) for T in (7, 50, 1, 400)]
    given, after, legal = (torch.cat(each) for each in zip(*pieces, strict=True))
    assert torch.equal(given[1:], after[:-1])
    for b in range(3):
        text = spelt(given[:, b].tolist())
        whole = text[: text.rindex("EB") + 1]
        assert re.fullmatch(f"(?:{EMBEDDED.pattern})+", whole)
    assert legal.gather(2, after[..., None]).all()


def test_where_there_are_two_ways_each_is_taken_half_of_the_time():
    _, after, legal = Stream(20, seeded(3)).take(2000)
    for row in LEGAL.unique(dim=0):
        if row.sum() == 2:
            symbol = int(row.int().argmax())
            share = (after[(legal == row).all(-1)] == symbol).float().mean()
            assert 0.45 < share < 0.55


def test_legal_symbols_must_all_lead():
    legal = torch.tensor([True, False, True])
    outputs = torch.tensor([[0.5, 0.1, 0.4], [0.9, 0.3, 0.2], [0.5, 0.5, 0.6]])
    assert legal_lead(outputs, legal.expand(3, 3)).tolist() == [True, False, False]
