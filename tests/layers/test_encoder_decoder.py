"""gw.EncoderDecoder: what it predicts, its loss, and that ways to run it faster are the same as running it plainly."""

import copy
from itertools import pairwise, product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import gatework as gw
from gatework.cells import cells
from gatework.layers import encoder_decoder
from gatework.layers.similar import parts_of
from numerics import all_same, gradients, randomise, same

V_S, V_T, H = 9, 6, 10
EVERY = pytest.mark.parametrize("cell", cells)
KINDS = {
    "general": {},
    "dot": {"attention": "dot", "heads": 2},
    "additive, two layers": {"attention": "additive", "num_layers": 2},
    "none": {"attention": "none", "cell": "gru", "decoder_cell": "lem"},
    "coverage and window": {"coverage": True, "window": 2},
    "one way, tied": {"bidirectional": False, "tied": True, "embedding": 7},
    "input feeding": {"input_feeding": True},
    "input feeding, coverage": {"input_feeding": True, "coverage": True, "attention": "additive", "num_layers": 2},
}
KIND = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


def made(dtype: torch.dtype = torch.float64, **options) -> gw.EncoderDecoder:
    return randomise(gw.EncoderDecoder(V_S, V_T, H, **options), 0.4).to(dtype)


def batch(B: int = 5, S: int = 6, T: int = 5, seed: int = 0) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Random sources of 1 to S symbols and targets of 0 to T - 1, the first of each the longest."""
    random = torch.Generator().manual_seed(seed)
    tokens, lengths = torch.randint(V_S, (S, B), generator=random), torch.randint(1, S + 1, (B,), generator=random)
    targets, ends = torch.randint(V_T, (T, B), generator=random), torch.randint(T, (B,), generator=random)
    lengths[0], ends[0] = S, T - 1
    steps = torch.arange(T)[:, None]
    return (tokens * (torch.arange(S)[:, None] < lengths), lengths), targets.where(steps < ends, V_T).where(
        steps <= ends, -100
    )


def rows_of(source: tuple[Tensor, Tensor], targets: Tensor, rows: slice) -> tuple[tuple[Tensor, Tensor], Tensor]:
    tokens, lengths = source
    S, T = int(lengths[rows].max()), int((targets[:, rows] >= 0).sum(0).max())
    return (tokens[:S, rows], lengths[rows]), targets[:T, rows]


def proj(cell: str) -> dict:
    return {"recurrent": {"proj_size": 4}} if cell == "projected_lstm" else {}


# -- what it computes


def test_it_is_the_parts_one_after_another():
    model, (source, targets) = made(), batch()
    (tokens, lengths), layers = source, model.decoder_layers
    memory, final = model.encoder(model.source_embedding(tokens), lengths=lengths)
    ends = torch.cat([final.h[0], final.h[1]], -1)
    h, c = torch.tanh(ends @ model.bridge.maps[0].weight.T + model.bridge.maps[0].bias).chunk(2, -1)
    begin = torch.full((1, targets.shape[1]), V_T)
    inputs = torch.cat([begin, targets[:-1].masked_fill(targets[:-1] < 0, 0)])
    output, _ = layers(model.target_embedding(inputs), (h[None], c[None]))
    context, weights = model.attention(output, memory, lengths)
    read = torch.tanh(model.readout(torch.cat([output, context], -1)))
    all_same(model.logits(source, targets), (model.output(read), weights))
    expected = F.cross_entropy(model.output(read).flatten(0, 1), targets.flatten(), ignore_index=-100)
    same(model(source, targets)[0], expected)


def test_input_feeding_reads_the_context_of_the_step_before():
    model, (source, targets) = made(input_feeding=True), batch()
    encoded, inputs = model.encode(source), torch.cat([torch.full((1, 5), V_T), targets[:-1].clamp(min=0)])
    state, context, read = encoded.state, torch.zeros(5, H).double(), []
    for tokens in inputs:
        output, state = model.decoder_layers(torch.cat([model.target_embedding(tokens), context], -1)[None], state)
        (context,), _ = model.attention(output, encoded.memory, encoded.lengths)
        read.append(torch.tanh(model.readout(torch.cat([output[0], context], -1))))
    same(model.logits(source, targets)[0], model.output(torch.stack(read)))


@EVERY
def test_any_cell_encodes_decodes_and_learns(cell):
    one_way = gw.cells[cell].program.nodes[0].size != "I"
    for options in ({}, {"decoder_cell": "lstm"}, {"num_layers": 2, "bidirectional": not one_way}):
        model, (source, targets) = made(torch.float32, cell=cell, **proj(cell), **options), batch()
        loss, state = model(source, targets)
        loss.backward()
        assert state is None and loss.isfinite()
        unused = [
            name for name, value in model.named_parameters() if value.grad is None or not value.grad.isfinite().all()
        ]
        assert unused == []


@EVERY
def test_any_cell_starts_where_the_encoder_ends(cell):
    model, (source, _) = made(decoder_cell=cell, **proj(cell)), batch()
    encoded = model.encode(source)
    layer = model.decoder_layers
    for (name, (slots, size)), value in zip(layer.state_shapes.items(), encoded.state, strict=True):
        assert value.shape == (slots, 5, size)
        start = next(state.start for state in layer.program.states if state.name == name)
        if start == -torch.inf:
            assert (value == start).all()
        else:
            assert ((value - start).abs() < 1).all() and value.std() > 0


@KIND
def test_a_step_knows_nothing_of_later_targets(options):
    model, (source, targets) = made(**options), batch()
    other = targets.clone()
    other[2:] = (other[2:] + 1) % V_T
    same(model.logits(source, other)[0][:3], model.logits(source, targets)[0][:3])


@KIND
def test_a_pair_is_predicted_as_if_it_were_alone(options):
    model, (source, targets) = made(**options), batch()
    whole, weights = model.logits(source, targets)
    for b in range(5):
        (tokens, lengths), target = rows_of(source, targets, slice(b, b + 1))
        logits, each = model.logits((tokens, lengths), target)
        same(whole[: len(target), b : b + 1], logits)
        if weights is not None:
            same(weights[: len(target), b : b + 1, : len(tokens)], each)


@KIND
def test_the_loss_is_the_mean_over_target_symbols(options):
    model, (source, targets) = made(**options), batch()
    logits, _ = model.logits(source, targets)
    same(model(source, targets)[0], F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100))


def test_label_smoothing_and_dropout_are_of_training_alone():
    model, (source, targets) = made(label_smoothing=0.3, dropout=0.5, scheduled_sampling=0.5), batch()
    plain = made()
    plain.load_state_dict(model.state_dict())
    same(model.eval()(source, targets)[0], plain(source, targets)[0])
    assert abs(model.train()(source, targets)[0] - plain(source, targets)[0]) > 1e-6


def test_label_smoothing_is_torchs():
    model, (source, targets) = made(label_smoothing=0.3), batch()
    logits, _ = model.logits(source, targets)
    options = {"ignore_index": -100, "label_smoothing": 0.3}
    same(model(source, targets)[0], F.cross_entropy(logits.flatten(0, 1), targets.flatten(), **options))


def test_tied_weights_are_one_tensor():
    model = made(tied=True)
    assert model.output.weight is model.target_embedding.weight
    assert sum(value.numel() for value in model.parameters()) < sum(value.numel() for value in made().parameters())


@pytest.mark.parametrize("input_feeding", [False, True])
def test_scheduled_sampling_reads_what_the_model_finds_likeliest(input_feeding):
    """With a share of 1 the target is never read, but for its length."""
    options = {"input_feeding": input_feeding, "scheduled_sampling": 1.0}
    model, (source, targets) = made(**options), batch()
    full = targets.masked_fill(targets < 0, 0)
    if input_feeding:
        same(model.logits(source, full)[0], model.logits(source, (full + 1) % V_T)[0])
    sampled = model.logits(source, full)[0]
    own = full
    for _ in range(len(full) if input_feeding else 1):
        own = model.eval().logits(source, own)[0].argmax(-1)
    same(sampled, model.logits(source, own)[0])


# -- the same, run faster


@KIND
def test_parts_of_similar_length_make_the_same_loss_and_gradients(options, monkeypatch):
    model, (source, targets) = made(**options), batch(B=7, S=9, T=8)
    plain = model(source, targets)[0]
    monkeypatch.setattr(encoder_decoder, "parts_of", lambda *_: [torch.tensor([4, 0]), torch.tensor([1, 6, 2, 3, 5])])
    parts = model(source, targets)[0]
    same(parts, plain)
    all_same(gradients(model, parts), gradients(model, plain))


@pytest.mark.parametrize("cell", ["lstm", "gru", "layer_norm_lstm", "rhn_3", "multiplicative_lstm", "minlstm"])
@pytest.mark.parametrize(
    "further", [{}, {"num_layers": 2, "dropout": 0.0}, {"recurrent": {"initial": "learned"}}], ids=str
)
def test_few_symbols_as_one_hot_inputs_are_the_same_as_embedded(cell, further, monkeypatch):
    model, (source, targets) = made(cell=cell, embedding=12, **further), batch()
    readers = model.read_source, model.read_target
    assert all(each.fits for each in readers)
    folded = model(source, targets)[0]
    for each in readers:
        monkeypatch.setattr(each, "fits", False)
    plain = model(source, targets)[0]
    same(folded, plain)
    all_same(gradients(model, folded), gradients(model, plain))


SCALED = "h = tanh(W @ (s * x) + U @ h)"  # which reads x itself


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "sru", "bidirectional": False},
        {"embedding": V_T},
        {"input_feeding": True},
        {"cell": SCALED, "embedding": 12},
    ],
    ids=str,
)
def test_symbols_are_embedded_where_that_is_less_or_x_is_read_otherwise(options):
    assert not made(**options).read_target.fits


def test_hooks_of_layers_and_embeddings_run():
    model, (source, targets) = made(embedding=12), batch()
    plain, seen = model(source, targets)[0], []
    for module in (model.encoder, model.decoder_layers, model.source_embedding, model.target_embedding):
        module.register_forward_hook(lambda module, *_: seen.append(module))
    same(model(source, targets)[0], plain)
    assert set(seen) == {model.encoder, model.decoder_layers, model.source_embedding, model.target_embedding}


def test_sources_of_nothing_and_targets_that_do_not_count_are_borne():
    model, (source, targets) = made(), batch()
    nothing = source[0], torch.zeros_like(source[1])
    assert model(nothing, targets)[0].isfinite() and len(model.search(nothing, longest=3)) == 5
    assert model(source, torch.full_like(targets, -100))[0].isnan()  # a mean over none, as torch's cross_entropy


def test_a_fast_model_is_copied_saved_and_loaded(tmp_path):
    model, (source, targets) = made(torch.float32, embedding=12), batch()
    loss = model(source, targets)[0]
    torch.save(model, tmp_path / "model.pt")
    for other in (copy.deepcopy(model), torch.load(tmp_path / "model.pt", weights_only=False)):
        same(other(source, targets)[0], loss)
        assert list(other.state_dict()) == list(model.state_dict())


def test_parts_have_every_sequence_once_and_are_made_only_where_they_pay():
    lengths = torch.randint(1, 30, (500,)), torch.randint(1, 30, (500,))
    parts = parts_of(lengths, (10**6, 10**6))
    assert len(parts) > 1 and sorted(torch.cat(parts).tolist()) == list(range(500))
    assert len(parts_of(lengths, (10, 10))) == 1
    alike = torch.full((500,), 7), torch.full((500,), 7)
    assert len(parts_of(alike, (10**6, 10**6))) == 1


def test_parts_are_of_similar_length():
    lengths = torch.arange(500).flip(0) % 40 + 1, torch.arange(500) % 40 + 1
    parts = parts_of(lengths, (10**6, 10**6))
    ends = [(int(lengths[0][rows].min()), int(lengths[0][rows].max())) for rows in parts]
    assert all(before[1] <= after[0] for before, after in pairwise(ends))


# -- tools


@KIND
def test_a_trace_has_gates_and_attention(options):
    model, (source, targets) = made(**options), batch()
    names = ("h", "weights") if options.get("attention") != "none" else ("h",)
    with gw.record(model, *names) as trace:
        _, weights = model.logits(source, targets)
    assert trace["encoder.l0.h"].shape[:2] == source[0].shape
    if weights is not None:
        same(trace["attention.weights"], weights)


def test_a_trace_of_the_loss_has_the_batch_in_its_own_order():
    model, (source, targets) = made(), batch()
    with gw.record(model, "weights") as trace:
        model(source, targets)
    same(trace["attention.weights"], model.logits(source, targets)[1])


class Losses(torch.nn.Module):
    def __init__(self, model: gw.EncoderDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        return self.model.logits((tokens, lengths), targets)[0]


def test_it_runs_and_searches_under_autocast():
    model, (source, targets) = made(torch.float32, embedding=12).eval(), batch()
    loss, found = model(source, targets)[0], model.search(source, longest=5)
    with torch.autocast("cpu"):
        rough, likely = model(source, targets)[0], model.search(source, longest=5)
    assert abs(loss - rough) < 0.05 * loss
    for (own, *_), (other, *_) in zip(found, likely, strict=True):
        assert own.score == pytest.approx(other.score, abs=0.1)


def test_it_runs_and_searches_in_bfloat16():
    model, (source, targets) = made(torch.float32, embedding=12).eval(), batch()
    loss, low = model(source, targets)[0], copy.deepcopy(model).to(torch.bfloat16)
    assert abs(low(source, targets)[0] - loss) < 0.05 * loss and len(low.search(source, longest=5)) == 5


def test_gradients_of_gradients_go_through_the_reference_engine():
    model, (source, targets) = made(engine="reference"), batch()
    leaves = list(model.parameters())
    first = torch.autograd.grad(model(source, targets)[0], leaves, create_graph=True)
    torch.autograd.backward(sum(value.square().sum() for value in first))
    assert all(leaf.grad.isfinite().all() for leaf in leaves)


@pytest.mark.slow
def test_it_can_be_compiled():
    model, (source, targets) = made(torch.float32).eval(), batch()
    compiled = torch.compile(Losses(model), backend="eager", fullgraph=True)
    same(compiled(*source, targets), model.logits(source, targets)[0])


@pytest.mark.slow
def test_it_can_be_exported():
    model, (source, targets) = made(torch.float32), batch()
    exported = torch.export.export(Losses(model.eval()), (*source, targets)).module()
    same(exported(*source, targets), model.logits(source, targets)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "cosine"}, r"^attention is 'cosine'; expected 'general' or 'dot' or 'additive' or 'none'$"),
        ({"attention": "none", "input_feeding": True}, r'^input_feeding=True .*; with attention="none" leave it out$'),
        ({"hidden_size": 0}, r"^hidden_size is 0; expected a whole number of at least 1$"),
        ({"embedding": 0}, r"^embedding is 0; expected a whole number of at least 1$"),
        ({"sources": True}, r"^sources is True; expected a whole number of at least 1$"),
        ({"dropout": 2}, r"^dropout is 2; expected a probability between 0 and 1$"),
        ({"tied": 1}, r"^tied is 1; expected True or False$"),
        ({"scheduled_sampling": -1}, r"^scheduled_sampling is -1; expected a probability between 0 and 1$"),
        ({"recurrent": {"batch_first": True}}, r"^recurrent has batch_first; leave it out: "),
        ({"recurrent": {"zonout": 1}}, r"^recurrent is .*unexpected keyword argument 'zonout'"),
        ({"heads": 3}, r"^heads is 3; expected a divisor of memory_size = 10$"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    with pytest.raises(gw.InputError, match=message):
        gw.EncoderDecoder(**{"sources": V_S, "targets": V_T, "hidden_size": H} | options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda tokens, lengths, targets: (tokens, lengths, targets.float()),
            r"^targets is .*; expected a tensor of torch.int64 \[T,B\]$",
        ),
        (
            lambda tokens, lengths, targets: (tokens, lengths, targets[:0]),
            r"^targets has no steps; expected one at least",
        ),
        (lambda tokens, lengths, targets: (tokens, lengths, targets[:, :2]), r"^targets has 2 sequences, tokens 5;"),
        (
            lambda tokens, lengths, targets: (tokens.float(), lengths, targets),
            r"^tokens is .*; expected a tensor of torch.int64 \[S,B\]$",
        ),
        (lambda tokens, lengths, targets: (tokens, lengths + 9, targets), r"^lengths holds 15; expected 0 to T = 6$"),
        (
            lambda tokens, lengths, targets: (tokens, lengths, targets.fill_(V_T + 1)),
            r"^targets holds 7; expected 0 to 6, or -100$",
        ),
        (lambda tokens, lengths, targets: (tokens.fill_(V_S), lengths, targets), r"^tokens holds 9; expected 0 to 8"),
    ],
    ids=["floats", "no steps", "batches", "float tokens", "lengths", "unknown target", "unknown token"],
)
def test_inputs_that_do_not_fit_are_refused(change, message):
    model, (source, targets) = made(), batch()
    tokens, lengths, targets = change(*source, targets)
    with pytest.raises(gw.InputError, match=message):
        model((tokens, lengths), targets)


def test_a_source_without_its_lengths_is_refused():
    model, ((tokens, _), targets) = made(), batch()
    with pytest.raises(gw.InputError, match=r"^source is Tensor; expected a pair of tokens \[S,B\] and lengths \[B\]$"):
        model(tokens, targets)


# -- search


def log_probability(model: gw.EncoderDecoder, source: tuple[Tensor, Tensor], tokens: tuple[int, ...]) -> float:
    targets = torch.tensor([*tokens, V_T])[:, None]
    logits, _ = model.logits(source, targets)
    return logits.log_softmax(-1).gather(-1, targets[..., None]).sum().item()


@KIND
def test_a_search_scores_as_the_model_does_and_each_source_by_itself(options):
    model, (source, targets) = made(torch.float32, **options).eval(), batch(B=7)
    found = model.search(source, beams=4, best=3, longest=6)
    for b, hypotheses in enumerate(found):
        own, _ = rows_of(source, targets, slice(b, b + 1))
        (alone,) = model.search(own, beams=4, best=3, longest=6)
        assert [each.tokens for each in alone] == [each.tokens for each in hypotheses] and len(hypotheses) == 3
        for each in hypotheses:
            assert each.log_probability == pytest.approx(log_probability(model, own, each.tokens), abs=1e-4)
            assert each.score == pytest.approx(each.log_probability / (len(each.tokens) + 1))
            if options.get("attention") == "none":
                assert each.attention is None
            else:
                expected = model.logits(own, torch.tensor([*each.tokens, V_T])[:, None])[1]
                same(torch.from_numpy(each.attention), expected[:-1, 0].float())


@pytest.mark.parametrize("options", [{}, {"input_feeding": True}], ids=str)
def test_a_search_with_beams_for_all_is_exhaustive(options):
    model = randomise(gw.EncoderDecoder(V_S, 2, H, **options), 0.8).eval()
    source, longest = batch(B=3)[0], 3
    every = [tokens for T in range(longest + 1) for tokens in product(range(2), repeat=T)]
    found = model.search(source, beams=len(every), best=len(every), length_normalisation=0.0, longest=longest)
    for b, hypotheses in enumerate(found):
        own = source[0][: source[1][b], b : b + 1], source[1][b : b + 1]
        logs = {}
        for tokens in every:
            targets = torch.tensor([*tokens, 2])[:, None]
            logits, _ = model.logits(own, targets)
            logs[tokens] = logits.log_softmax(-1).gather(-1, targets[..., None]).sum().item()
        assert [each.tokens for each in hypotheses] == sorted(every, key=lambda tokens: -logs[tokens])


@EVERY
def test_any_cell_is_searched(cell):
    model, (source, _) = made(torch.float32, cell=cell, **proj(cell)).eval(), batch()
    for b, (best, *_) in enumerate(model.search(source, beams=3, longest=5)):
        own = source[0][: source[1][b], b : b + 1], source[1][b : b + 1]
        assert best.log_probability == pytest.approx(log_probability(model, own, best.tokens), abs=1e-3)


def test_one_beam_takes_the_likeliest_symbol_each_time():
    model, (source, _) = made(torch.float32).eval(), batch()
    for b, (best,) in enumerate(model.search(source, beams=1, longest=6)):
        own, tokens = (source[0][: source[1][b], b : b + 1], source[1][b : b + 1]), []
        while len(tokens) < 6:
            logits, _ = model.logits(own, torch.tensor([*tokens, V_T])[:, None])
            if (likeliest := int(logits[-1, 0].argmax())) == V_T:
                break
            tokens.append(likeliest)
        assert best.tokens == tuple(tokens)


def test_a_search_leaves_training_as_it_was():
    model, (source, _) = made(torch.float32, dropout=0.5), batch()
    model.attention.eval()
    training = [module.training for module in model.modules()]
    once, twice = model.search(source), model.search(source)
    assert [each[0].tokens for each in once] == [each[0].tokens for each in twice]
    assert [module.training for module in model.modules()] == training


def test_a_bound_is_one_number_for_all_or_one_for_each():
    model, (source, _) = made(torch.float32).eval(), batch()
    for longest in (2, [0, 1, 2, 3, 4]):
        found = model.search(source, longest=longest)
        bounds = [longest] * 5 if isinstance(longest, int) else longest
        assert all(len(best.tokens) <= bound for (best, *_), bound in zip(found, bounds, strict=True))
