import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import gatework as gw
from gatework.errors import InputError
from gatework.labels.model import SequenceModel, check_model
from gatework.labels.options import Kind, Options
from numerics import same


def model(
    kind: Kind = "class", *, tokens: bool = False, width: int = 3, outputs: int = 4, **given: Any
) -> SequenceModel:
    return SequenceModel(
        Options(**{"hidden": 5, "embedding": 3, **given}), width, (outputs,), tokens=tokens, kind=kind
    ).eval()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("summary", ["last", "mean", "attention", "max", "last+mean+max"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_lies_past_a_length_counts_nowhere(cell: str, summary: str, bidirectional: bool) -> None:
    net = model(cell=cell, summary=summary, bidirectional=bidirectional, layers=2)
    x, lengths = torch.randn(7, 3, 3), torch.tensor([7, 1, 4])
    together = net.scores((x, lengths))
    for b, T in enumerate(lengths.tolist()):
        alone = net.scores((x[:T, b : b + 1], torch.tensor([T])))
        same(alone[0], together[b])


def test_the_last_summary_is_each_directions_last_state() -> None:
    net, x, lengths = model(), torch.randn(6, 2, 3), torch.tensor([6, 4])
    output, state = net.recurrent(x, lengths=lengths)
    assert torch.equal(net.summarised(output, lengths), torch.cat([state.h[0], state.h[1]], -1))


def test_the_mean_summary_is_over_the_steps_that_are_there() -> None:
    net, x = model(summary="mean"), torch.randn(6, 2, 3)
    output, _ = net.recurrent(x, lengths=[6, 4])
    summary = net.summarised(output, torch.tensor([6, 4]))
    same(summary[1], output[:4, 1].mean(0))


def test_the_largest_summary_is_over_the_steps_that_are_there() -> None:
    net, x = model(summary="max"), torch.randn(6, 2, 3)
    output, _ = net.recurrent(x, lengths=[6, 4])
    output = output - 5  # below the 0 past a length
    same(net.summarised(output, torch.tensor([6, 4]))[1], output[:4, 1].amax(0))


def test_several_summaries_stand_beside_each_other() -> None:
    net, x, lengths = model(summary="mean+last"), torch.randn(6, 2, 3), torch.tensor([6, 4])
    output, _ = net.recurrent(x, lengths=lengths)
    mean, last = net.summarised(output, lengths).chunk(2, -1)
    same(mean, model(summary="mean").summarised(output, lengths))
    same(last, model(summary="last").summarised(output, lengths))
    assert net.scores((x, lengths)).shape == (2, 4)


def test_attention_is_a_mean_with_shares_that_add_up_to_one() -> None:
    net, x, lengths = model(summary="attention"), torch.randn(6, 2, 3), torch.tensor([6, 4])
    assert net.attention is not None
    output, _ = net.recurrent(x, lengths=lengths)
    shares = net.attention.weights(output, lengths)
    same(shares.sum(0), torch.ones(2))
    assert shares[4:, 1].eq(0).all()
    same(net.summarised(output, lengths), (shares[..., None] * output).sum(0))


def test_tags_are_scored_at_every_step() -> None:
    net = model("tag", summary="attention")
    assert net.attention is None
    assert net.scores((torch.randn(6, 2, 3), torch.tensor([6, 4]))).shape == (6, 2, 4)


def test_an_unknown_token_enters_as_zero_and_stays_so() -> None:
    net = model(tokens=True, width=4)
    assert net.embedding is not None
    loss, _ = net(((torch.tensor([[0], [1]])), torch.tensor([2])), torch.tensor([1]))
    loss.backward()
    assert net.embedding.weight[0].eq(0).all()
    assert net.embedding.weight.grad is not None
    assert net.embedding.weight.grad[0].eq(0).all()
    assert net.embedding.weight.grad[1].ne(0).any()


def test_the_loss_of_classes_is_their_surprise() -> None:
    net, given = model(outputs=4), (torch.randn(5, 2, 3), torch.tensor([5, 2]))
    loss, state = net(given, torch.tensor([3, 0]))
    chances = net.scores(given).softmax(-1)
    assert state is None
    assert loss.item() == pytest.approx(-(chances[0, 3].log() + chances[1, 0].log()).item() / 2)
    assert loss.item() == pytest.approx(math.log(4), rel=0.3)


def test_the_loss_of_tags_leaves_out_what_is_past_a_length() -> None:
    net, given = model("tag"), (torch.randn(3, 2, 3), torch.tensor([3, 1]))
    targets = torch.tensor([[0, 1], [2, -100], [1, -100]])
    scores = net.scores(given)
    each = torch.cat([scores[:, 0], scores[:1, 1]])
    same(net(given, targets)[0], F.cross_entropy(each, torch.tensor([0, 2, 1, 1])))


def test_the_loss_of_numbers_is_the_mean_square_error() -> None:
    net, given = model("number", outputs=1), (torch.randn(3, 2, 3), torch.tensor([3, 3]))
    loss, _ = net(given, torch.tensor([1.0, -1.0]))
    same(loss, (net.scores(given)[:, 0] - torch.tensor([1.0, -1.0])).square().mean())


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "projected_lstm", "slstm", "rhn_3"])
def test_cells_of_every_kind(name: str) -> None:
    extra = {"recurrent": {"proj_size": 2}} if name == "projected_lstm" else {}
    net = model(cell=gw.cells[name], **extra)
    assert net.scores((torch.randn(4, 2, 3), torch.tensor([4, 2]))).shape == (2, 4)


def test_further_arguments_reach_the_recurrent_layers() -> None:
    net = model(recurrent={"zoneout": {"h": 0.2}, "initial": "learned", "engine": "reference"})
    assert (net.recurrent.zoneout, net.recurrent.initial, net.recurrent.engine) == ({"h": 0.2}, "learned", "reference")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recurrent": {"zone": 1}}, "recurrent is {'zone': 1}"),
        ({"recurrent": {"batch_first": True}}, "recurrent has batch_first; leave it out"),
        ({"recurrent": {"zoneout": {"q": 0.1}}}, "'q'"),
        ({"recurrent": {"init": object()}}, "expected arguments of gw.Recurrent by name"),
        ({"recurrent": 5}, "recurrent is 5; expected arguments of gw.Recurrent by name"),
        ({"hidden": 2**31 - 1}, "sizes that no memory holds"),
        ({"hidden": 0}, "hidden is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"embedding": 0}, "embedding is 0"),
        ({"vocabulary": 1}, "vocabulary is 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"dropout": 2}, "dropout is 2"),
        ({"validation": 1}, "validation is 1; expected a share"),
        ({"summary": "first"}, "summary is 'first'; expected last, mean, max or attention, or several"),
        ({"summary": "last+last"}, "summary is 'last.last'; expected"),
        ({"summary": 3}, "summary is 3; expected"),
        ({"augment": "flip"}, "augment is 'flip'; expected jitter, warp or crop, or several"),
        ({"front": "long"}, "front is 'long'"),
        ({"branch": "resnet"}, "branch is 'resnet'; expected 'auto' or 'none' or 'fcn'"),
        ({"members": 0}, "members is 0"),
        ({"level": "byte"}, "level is 'byte'; expected 'char' or 'word'"),
        ({"bidirectional": "yes"}, "bidirectional is 'yes'"),
        ({"cell": "lsmt"}, "unknown cell 'lsmt'"),
        ({"epochs": 0}, "epochs = 0"),
        ({"learning_rate": -1}, "learning_rate = -1"),
        ({"random_state": -1}, "seed = -1"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises((InputError, gw.EquationError), match=said):
        check_model(Options(**options), "class")


def test_training_takes_about_as_many_updates_whatever_the_data() -> None:
    for batches, epochs in ((1, 100), (38, 40), (300, 5), (10_000, 5)):
        assert Options().settings(batches).epochs == epochs
    assert Options(steps=7).settings(38).epochs is None
    assert Options(epochs=3).settings(38).warmup == round(0.3 * 3 * 38)


def test_options_are_the_same_after_json() -> None:
    own = gw.Cell("mine", "h = tanh(W @ x + U @ h + b)")
    for options in (Options(), Options(cell=own, recurrent={"zoneout": {"h": 0.1}}, steps=3)):
        assert Options.from_json(options.to_json()) == options
