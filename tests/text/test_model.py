import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import gatework as gw
from gatework.errors import InputError
from gatework.text.model import LanguageModel, check_model
from gatework.text.options import Batching, Shape, Text
from numerics import same

V = 6
SMALL = Shape(hidden=7, embedding=5)
TOKENS = torch.tensor([[0, 5, 2], [1, 1, 4], [3, 0, 0], [2, 5, 1]])  # [T,B]
TARGETS = TOKENS.roll(-1, 0)


def test_an_embedding_of_the_identity_is_one_hot_input() -> None:
    one_hot = LanguageModel("lstm", V, replace(SMALL, embedding=None))
    embedded = LanguageModel("lstm", V, replace(SMALL, embedding=V))
    embedded.load_state_dict(one_hot.state_dict() | {"embedding.weight": torch.eye(V)})
    (first, state), (second, other) = one_hot.logits(TOKENS), embedded.logits(TOKENS)
    assert torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip(state, other, strict=True))


def test_the_loss_is_the_mean_of_minus_log_p_computed_by_hand() -> None:
    model = LanguageModel("gru", V, SMALL)
    loss, state = model(TOKENS, TARGETS)
    logits, _ = model.logits(TOKENS)
    by_hand = [
        math.log(sum(math.exp(each) for each in logits[t, b].tolist())) - logits[t, b, TARGETS[t, b]].item()
        for t in range(4)
        for b in range(3)
    ]
    assert loss.item() == pytest.approx(sum(by_hand) / 12, rel=1e-6)
    assert state.h.shape == (1, 3, 7)


def test_targets_of_minus_100_are_left_out() -> None:
    model = LanguageModel("gru", V, SMALL)
    short, _ = model(TOKENS[:2], TARGETS[:2])
    masked, _ = model(TOKENS, torch.cat([TARGETS[:2], torch.full((2, 3), -100)]))
    same(short, masked)


def test_the_state_carries_the_past() -> None:
    model = LanguageModel("lstm", V, SMALL)
    whole, _ = model.logits(TOKENS)
    first, state = model.logits(TOKENS[:2])
    second, _ = model.logits(TOKENS[2:], state)
    same(torch.cat([first, second]), whole)


def test_tied_weights_are_one_parameter_that_learns_from_both_uses() -> None:
    model = LanguageModel("lstm", V, replace(SMALL, embedding=7, tied=True))
    assert model.embedding is not None
    assert model.output.weight is model.embedding.weight
    assert sum(name.endswith("weight") for name, _ in model.named_parameters()) == 1
    model(TOKENS, TARGETS)[0].backward()
    assert model.output.weight.grad is not None
    assert model.output.weight.grad[3].abs().sum() > 0


def test_tied_weights_start_small_enough_for_an_even_first_guess() -> None:
    model = LanguageModel("lstm", 100, Shape(hidden=64, embedding=64, tied=True))
    tokens = torch.randint(100, (20, 8))
    assert model(tokens, tokens.roll(-1, 0))[0].item() == pytest.approx(math.log(100), rel=0.05)


def test_tied_weights_fit_a_projected_output() -> None:
    model = LanguageModel("lstm", V, Shape(hidden=9, projection=4, embedding=4, tied=True))
    assert model.logits(TOKENS)[0].shape == (4, 3, V)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"embedding": 5}, "need an embedding of 7 units.*given is an embedding of 5"),
        ({"embedding": None}, "need an embedding of 7 units.*given is one-hot input"),
        ({"embedding": 7, "projection": 3}, "need an embedding of 3 units.*given is an embedding of 7"),
    ],
)
def test_tied_weights_of_another_width_are_refused(options: dict[str, int | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LanguageModel("lstm", V, replace(SMALL, tied=True, **options))


def test_the_options_of_a_shape_reach_the_layer() -> None:
    shape = Shape(
        hidden=8,
        layers=2,
        projection=3,
        embedding=4,
        dropout=0.1,
        variational=True,
        recurrent_dropout={"g": 0.2},
        zoneout={"c": 0.3},
        residual=True,
        initial="learned",
        init="torch",
        engine="reference",
    )
    layer = LanguageModel("lstm", V, shape).recurrent
    assert isinstance(layer, gw.Recurrent)
    sizes = (layer.input_size, layer.hidden_size, layer.num_layers, layer.proj_size, layer.output_size)
    assert sizes == (4, 8, 2, 3, 3)
    assert (layer.dropout, layer.variational, layer.residual) == (0.1, True, True)
    assert (layer.recurrent_dropout, layer.zoneout) == ({"g": 0.2}, {"c": 0.3})
    assert (layer.initial, layer.init, layer.engine) == ("learned", "torch", "reference")


class Ones(nn.Module):
    """A layer whose output is 1, so that the logits show which units were dropped."""

    output_size = 7

    def forward(self, x: torch.Tensor, *_: None, **__: None) -> tuple[torch.Tensor, None]:
        return x.new_ones(*x.shape[:2], 7), None


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_before_the_output_has_one_mask_for_all_steps_if_variational(variational: bool) -> None:
    model = LanguageModel("lstm", 7, Shape(hidden=7, embedding=5, dropout=0.5, variational=variational))
    model.recurrent = Ones()  # type: ignore[assignment]
    nn.init.eye_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    dropped = model.logits(TOKENS)[0]  # [T,B,7]: the mask itself
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert bool((dropped == dropped[:1]).all()) == variational
    assert torch.equal(model.eval().logits(TOKENS)[0], torch.ones(4, 3, 7))


@pytest.mark.parametrize("name", list(gw.cells))
def test_every_cell_makes_a_language_model(name: str) -> None:
    model = LanguageModel(name, V, Shape(hidden=5, embedding=5))
    loss, state = model(TOKENS, TARGETS)
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.item() == pytest.approx(
        F.cross_entropy(model.logits(TOKENS)[0].flatten(0, 1), TARGETS.flatten()).item()
    )
    assert len(state) == len(gw.cells[name].program.states)


# -- what is refused before anything is read


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": 0}, "hidden is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"projection": -1}, "projection is -1"),
        ({"embedding": 0}, "embedding is 0"),
        ({"hidden": 2.5}, "hidden is 2.5"),
        ({"hidden": 1 << 40}, "below 2\\^31"),
        ({"hidden": (1 << 31) - 1}, "no memory holds"),
        ({"dropout": 2.0}, "dropout is 2.0"),
        ({"recurrent_dropout": {"q": 0.1}}, "q"),
        ({"zoneout": {"h": 1.5}}, r"zoneout\['h'\] is 1.5"),
        ({"initial": "random"}, "initial is 'random'"),
        ({"init": "gloroty"}, "did you mean 'glorot'"),
        ({"tied": True}, "tied"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_without_making_the_model(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_model(gw.cells["lstm"], V, replace(SMALL, **options))  # type: ignore[arg-type]


def test_a_cell_that_needs_equal_sizes_says_so() -> None:
    with pytest.raises(ValueError, match="input_size=5 and hidden_size=7; make them equal"):
        check_model(gw.cells["sru"], V, SMALL)
    check_model(gw.cells["sru"], V, replace(SMALL, embedding=7))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Batching(streams=0), "streams is 0"),
        (lambda: Batching(steps=-1), "steps is -1"),
        (lambda: Batching(validate_on=0), "validate_on is 0"),
        (lambda: Text(("a",), level="letter"), "unknown level 'letter'"),  # type: ignore[arg-type]
        (lambda: Text(("a",), size=1), "vocabulary of 1"),
        (lambda: Text(("a",), splits=(0.5, 0.2, 0.2)), "splits"),
    ],
)
def test_batching_and_text_are_checked_when_they_are_made(make: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make()  # type: ignore[operator]
