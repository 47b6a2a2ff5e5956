import torch

from gatework.lab import Size
from gatework.lab.long_lags import (
    EXPERIMENT,
    draw_distracted,
    draw_random,
    draw_regular,
    judge_all,
    judge_end,
    judge_kept,
    next_symbols,
)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_2a_has_two_sequences_which_differ_at_their_ends_alone():
    symbols = draw_regular(100, 400, seeded())
    assert symbols.shape == (101, 400)
    assert torch.equal(symbols[0], symbols[-1])
    assert set(symbols[0].tolist()) == {99, 100}
    assert torch.equal(symbols[1:-1], torch.arange(99)[:, None].expand(-1, 400))
    assert 0.4 < (symbols[0] == 99).float().mean() < 0.6


def test_2b_has_no_regularity_between_the_ends():
    symbols = draw_random(100, 400, seeded())
    assert torch.equal(symbols[0], symbols[-1])
    middle = symbols[1:-1]
    assert middle.shape == (99, 400)
    assert set(middle.unique().tolist()) == set(range(99))
    assert (middle[1:] - middle[:-1] == 1).float().mean() < 0.02


def test_each_symbol_is_to_be_predicted_from_those_before():
    symbols = draw_random(10, 3, seeded())
    batch = next_symbols(symbols, 10)
    assert batch.x.shape == (10, 3, 11)
    assert torch.equal(batch.x.argmax(-1), symbols[:-1])
    assert torch.equal(batch.y, symbols[1:])


def test_2c_asks_at_e_for_the_second_symbol():
    p, q = 20, 50
    batch = draw_distracted(p, q, 2000, seeded())
    for b in range(100):
        symbols = batch.x[: batch.lengths[b], b].argmax(-1).tolist()
        assert (symbols[0], symbols[-1]) == (p + 1, p)  # b and e
        assert symbols[1] == p + 2 + batch.y[b]
        assert len(symbols) >= q + 3
        assert set(symbols[2:-1]) <= set(range(p))
    more = batch.lengths - q - 3
    assert abs(more.float().mean() - 9) < 1  # the mean of k, the length with the target q + 14 less 1
    assert abs((more == 0).float().mean() - 0.1) < 0.03
    assert abs(batch.y.float().mean() - 0.5) < 0.05


def outputs_of(batch, share: float) -> torch.Tensor:
    """Logits whose softmax gives the target all but `share`, which another symbol gets."""
    right = torch.nn.functional.one_hot(batch.y, batch.x.shape[-1]).float()
    return ((1 - share) * right + share * right.roll(1, -1) + 1e-9).log()


def test_outputs_off_by_less_than_the_limit_are_right():
    batch = next_symbols(draw_regular(10, 4, seeded()), 10)
    for judge in (judge_all, judge_end):
        assert not judge(outputs_of(batch, 0.24), batch).wrong.any()
        assert judge(outputs_of(batch, 0.26), batch).wrong.all()


def test_2b_looks_at_the_end_alone():
    batch = next_symbols(draw_random(10, 4, seeded()), 10)
    outputs = outputs_of(batch, 0.0)
    outputs[:-1] = 0.0
    assert not judge_end(outputs, batch).wrong.any()
    assert judge_all(outputs, batch).wrong.all()


def test_2c_allows_errors_below_a_fifth():
    batch = draw_distracted(5, 5, 4, seeded())
    right = torch.nn.functional.one_hot(batch.y, 2).float()
    for share, wrong in ((0.19, False), (0.21, True)):
        assert bool(judge_kept(((1 - share) * right + share * (1 - right)).log(), batch).wrong.all()) is wrong


def test_a_tiny_run_of_each_network_ends_with_figures():
    for variant in EXPERIMENT.variants:
        trial = EXPERIMENT.trial(variant, 0, Size.TINY, print)
        assert trial.figures["sequences"] > 0
        assert not trial.solved
