"""gw.Attention: what is read of a memory, by equations written out in float64."""

import pytest
import torch
from torch import Tensor, nn

import gatework as gw
from gatework.layers import attention
from numerics import all_same, gradients, random, randomise, same, weighed

T, B, S, Q, M = 4, 5, 7, 6, 6
SCORES = pytest.mark.parametrize("score", ["general", "dot", "additive"])
LENGTHS = torch.tensor([7, 3, 1, 0, 5])


def made(**options) -> gw.Attention:
    return randomise(gw.Attention(Q, M, **options).double())


def part(value: Tensor, head: int, heads: int) -> Tensor:
    return value.chunk(heads, -1)[head]


def place_of(layer: gw.Attention, query: Tensor, head: int, length: int) -> Tensor:
    p = layer.place
    share = torch.sigmoid(torch.tanh(query @ p.W_p.weight.T + p.W_p.bias) @ p.v_p.weight[head])
    return max(length - 1, 0) * share


def score_of(layer: gw.Attention, query: Tensor, memory: Tensor, head: int, seen: Tensor | None) -> Tensor:
    """Of one query [Q] and one step of the memory [M]."""
    heads = layer.heads
    asked = part(query if layer.W is None else layer.W.weight @ query, head, heads)
    if layer.U is None:
        return asked @ part(memory, head, heads) + (0 if seen is None else seen[head])
    inner = asked + part(layer.U.weight @ memory + layer.U.bias, head, heads)
    return layer.v[head] @ torch.tanh(inner if seen is None else inner + part(seen, head, heads))


def seen_at(layer: gw.Attention, before: Tensor, s: int) -> Tensor:
    """The convolution [features] at step s of what each head has read before, [heads,S]."""
    reach = layer.F.weight.shape[2] // 2
    steps = [(k, s + k - reach) for k in range(2 * reach + 1) if 0 <= s + k - reach < before.shape[1]]
    return sum(layer.F.weight[:, :, k] @ before[:, at] for k, at in steps)


def by_hand(layer: gw.Attention, query: Tensor, memory: Tensor, lengths) -> tuple[Tensor, Tensor]:
    """The equations, one sequence, query, head and step at a time."""
    contexts, all_weights = [], []
    for b, length in enumerate(lengths):
        before = torch.zeros(layer.heads, S).double()
        for t in range(len(query)):
            parts, rows = [], []
            for head in range(layer.heads):
                q, centre = query[t, b], None
                inside = list(range(int(length)))
                if layer.window is not None:
                    centre = place_of(layer, q, head, int(length))
                    inside = [s for s in inside if abs(s - centre.item()) <= layer.window]
                weights = torch.zeros(S).double()
                if inside:
                    seen = [None if layer.F is None else seen_at(layer, before, s) for s in inside]
                    scores = [score_of(layer, q, memory[s, b], head, x) for s, x in zip(inside, seen, strict=True)]
                    share = torch.stack(scores).exp()
                    share = share / share.sum()
                    if centre is not None:
                        share = share * torch.exp(
                            -((torch.tensor(inside) - centre) ** 2) / (2 * (layer.window / 2) ** 2)
                        )
                    weights = weights.index_put((torch.tensor(inside),), share)
                rows.append(weights)
                parts.append(sum(weights[s] * part(memory[s, b], head, layer.heads) for s in range(S)))
            before = before + torch.stack(rows)
            contexts.append(torch.cat(parts))
            all_weights.append(torch.stack(rows).mean(0))
    shape = (len(lengths), len(query), -1)
    return torch.stack(contexts).view(shape).transpose(0, 1), torch.stack(all_weights).view(shape).transpose(0, 1)


@SCORES
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
def test_it_and_its_gradients_are_the_equations(score, heads, window, coverage, lengths):
    layer = made(score=score, heads=heads, window=window, coverage=coverage)
    query, memory = random(T, B, Q, requires_grad=True), random(S, B, M, requires_grad=True)
    expected = by_hand(layer, query, memory, [S] * B if lengths is None else lengths.tolist())
    found = layer(query, memory, lengths)
    all_same(found, expected)
    all_same(gradients(layer, weighed(*found), query, memory), gradients(layer, weighed(*expected), query, memory))


@SCORES
@pytest.mark.parametrize("options", [{}, {"heads": 2}, {"window": 2}, {"coverage": True}], ids=str)
def test_what_lies_past_a_length_counts_for_nothing(score, options):
    layer, query = made(score=score, **options), random(T, B, Q)
    memory = random(S, B, M)
    wild = memory.clone()
    for b, length in enumerate(LENGTHS.tolist()):
        wild[length:, b] = 1e6
    all_same(layer(query, wild, LENGTHS), layer(query, memory, LENGTHS))


@SCORES
def test_a_sequence_is_read_as_if_it_were_alone(score):
    layer, query, memory = made(score=score, heads=2), random(T, B, Q), random(S, B, M)
    context, weights = layer(query, memory, LENGTHS)
    for b, length in enumerate(LENGTHS.tolist()):
        if length:
            alone = layer(query[:, b : b + 1], memory[:length, b : b + 1])
            all_same((context[:, b : b + 1], weights[:length, b : b + 1, :length]), (alone[0], alone[1][:length]))


@SCORES
def test_weights_add_up_to_1_and_to_0_where_there_is_nothing(score):
    _, weights = made(score=score, heads=2)(random(T, B, Q), random(S, B, M), LENGTHS)
    same(weights.sum(-1), (LENGTHS > 0).double().expand(T, B))


def test_general_scores_are_torchs_scaled_dot_product_attention():
    layer, query, memory = made(), random(T, B, Q), random(S, B, M)
    asked, keys = layer.W(query).transpose(0, 1), memory.transpose(0, 1)
    expected = nn.functional.scaled_dot_product_attention(asked, keys, keys, scale=1.0)
    same(layer(query, memory)[0], expected.transpose(0, 1))


@SCORES
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", [{}, {"heads": 2}, {"coverage": True}], ids=str)
def test_every_dtype_gives_the_same_but_for_its_rounding(score, dtype, options):
    """Without a window, whose edge may fall on the other side of a step."""
    layer, query, memory = made(score=score, **options), random(T, B, Q), random(S, B, M)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.2)
    low = gw.Attention(Q, M, score=score, **options).to(dtype)
    low.load_state_dict(layer.state_dict())
    found = low(query.to(dtype), memory.to(dtype), LENGTHS)
    assert all(value.dtype == dtype for value in found)
    bound = 1e-5 if dtype == torch.float32 else 0.1
    for value, wanted in zip(found, layer(query, memory, LENGTHS), strict=True):
        assert (value.double() - wanted).abs().max() < bound


def test_a_window_reaches_no_further_than_it_says():
    layer = made(window=1)
    _, weights = layer(random(T, B, Q), random(S, B, M))
    assert all(2 <= row.count_nonzero() <= 3 or row.count_nonzero() == 1 for row in weights.flatten(0, 1))
    assert (weights.sum(-1) <= 1 + 1e-12).all()


def test_coverage_changes_the_second_reading_and_not_the_first():
    layer, query, memory = made(coverage=True), random(1, B, Q).expand(2, B, Q), random(S, B, M)
    _, weights = layer(query, memory)
    plain = made()
    plain.load_state_dict(layer.state_dict(), strict=False)
    same(weights[0], plain(query, memory)[1][0])
    assert (weights[1] - weights[0]).abs().max() > 1e-3


@SCORES
def test_no_queries_read_nothing(score):
    for options in ({}, {"coverage": True}):
        context, weights = made(score=score, **options)(random(0, B, Q), random(S, B, M), LENGTHS)
        assert context.shape == (0, B, M) and weights.shape == (0, B, S)


@pytest.mark.parametrize("options", [{}, {"heads": 2}, {"coverage": True}], ids=str)
def test_a_trace_has_its_weights_under_its_path(options):
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.reader = gw.LSTM(Q, Q).double(), made(**options)

        def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
            return self.reader(self.rnn(x)[0], memory, LENGTHS)

    model, x, memory = Model(), random(T, B, Q), random(S, B, M)
    with gw.record(model, "weights", "f") as trace:
        _, weights = model(x, memory)
    assert list(trace) == ["rnn.l0.f", "reader.weights"]
    same(trace["reader.weights"], weights)


def test_gradients_of_recorded_weights_are_those_by_the_weights():
    layer, query, memory = made(), random(T, B, Q), random(S, B, M)
    with gw.record(layer, "weights", gradients=True) as trace:
        context, _ = layer(query, memory)
        weighed(context).backward()
    factors = torch.autograd.grad(weighed(found := context.detach().requires_grad_()), found)[0]
    same(trace.gradients["weights"], torch.einsum("tbm,sbm->tbs", factors, memory))


def test_memories_of_various_sizes_make_no_one_trace():
    layer = made()
    with gw.record(layer, "weights") as trace:
        layer(random(T, B, Q), random(S, B, M))
        layer(random(T, B, Q), random(S + 1, B, M))
    with pytest.raises(gw.InputError, match=r"^'weights' was recorded of memories of 7 and 8 steps"):
        trace["weights"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "cosine"}, r"^score is 'cosine'; expected 'general' or 'dot' or 'additive'$"),
        ({"heads": 4}, r"^heads is 4; expected a divisor of memory_size = 6$"),
        ({"window": 0}, r"^window is 0; expected a whole number of at least 1$"),
        ({"coverage": 1}, r"^coverage is 1; expected True or False$"),
        ({"query_size": 5, "score": "dot"}, r'^score="dot" compares .* of 5 and 6 features; .* use score="general"$'),
        ({"query_size": 0}, r"^query_size is 0; expected a whole number of at least 1$"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(gw.InputError, match=message):
        gw.Attention(**{"query_size": Q, "memory_size": M} | options)


@pytest.mark.parametrize(
    ("query", "memory", "lengths", "message"),
    [
        (torch.ones(T, B, 5), torch.ones(S, B, M), None, r"^query is \[4, 5, 5\]; expected a tensor \[T,B,Q\] with 6"),
        (torch.ones(T, B, Q), torch.ones(S, M), None, r"^memory is \[7, 6\]; expected a tensor \[S,B,M\] with 6"),
        (torch.ones(T, 2, Q), torch.ones(S, B, M), None, r"^query has 2 sequences, memory 5; expected as many$"),
        (torch.ones(T, B, Q), [1.0], None, r"^memory is list; expected a tensor"),
        (torch.ones(T, B, Q), torch.ones(S, B, M), [8] * B, r"^lengths holds 8; expected 0 to T = 7$"),
    ],
    ids=["narrow", "flat", "batches", "list", "lengths"],
)
def test_inputs_that_do_not_fit_are_refused(query, memory, lengths, message):
    with pytest.raises(gw.InputError, match=message):
        gw.Attention(Q, M)(query, memory, lengths)


def test_its_repr_says_what_it_does():
    assert "6, 6, score='general', heads=1\n" in repr(gw.Attention(Q, M))
    assert "window=2, coverage=True" in repr(gw.Attention(Q, M, window=2, coverage=True))


@pytest.mark.parametrize("options", [{}, {"score": "additive", "heads": 2}, {"window": 2}], ids=str)
def test_it_can_be_exported(options):
    layer, given = gw.Attention(Q, M, **options), (torch.randn(T, B, Q), torch.randn(S, B, M), LENGTHS)
    exported = torch.export.export(layer, given).module()
    all_same(exported(*given), layer(*given))


@SCORES
@pytest.mark.parametrize("options", [{}, {"heads": 2}, {"window": 2}, {"coverage": True}], ids=str)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_context_alone_is_the_same_with_its_gradients(score, options, lengths, dtype, monkeypatch):
    monkeypatch.setattr(attention, "LONG", 1)
    layer = made(score=score, **options).to(dtype)
    query, memory = random(T, B, Q, dtype=dtype, requires_grad=True), random(S, B, M, dtype=dtype, requires_grad=True)
    alone, (whole, _) = layer.context(query, memory, lengths), layer(query, memory, lengths)
    same(alone, whole)
    all_same(gradients(layer, weighed(alone), query, memory), gradients(layer, weighed(whole), query, memory))
