"""from_torch, to_torch, convert and torch's state_dicts: the weights move, the function stays."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import gatework as gw
from gatework.errors import InputError
from numerics import all_same, random, randomise, same

LAYERS = {
    "LSTM": (gw.LSTM, {"num_layers": 2}),
    "LSTM projected": (gw.LSTM, {"proj_size": 3, "bidirectional": True}),
    "GRU": (gw.GRU, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    "GRU without bias": (gw.GRU, {"bias": False}),
    "RNN tanh": (gw.RNN, {"num_layers": 2, "bias": False}),
    "RNN relu": (gw.RNN, {"nonlinearity": "relu", "bidirectional": True}),
}
EVERY_LAYER = pytest.mark.parametrize(("cls", "options"), LAYERS.values(), ids=LAYERS)


def flat(returned) -> tuple[Tensor, ...]:
    """What a layer returns, as one tuple: output, and each state."""
    output, state = returned
    return (output, state) if isinstance(state, Tensor) else (output, *state)


def same_function(first: nn.Module, second: nn.Module, *shape: int) -> None:
    x = random(*(shape or (4, 3, 5)), dtype=next(first.parameters()).dtype)
    all_same(flat(first(x)), flat(second(x)))


# -- one layer


@EVERY_LAYER
def test_to_torch_keeps_the_function(cls, options):
    ours = randomise(cls(5, 7, dtype=torch.float64, **options))
    theirs = ours.to_torch()
    assert type(theirs) is cls.counterpart
    same_function(ours, theirs)


@EVERY_LAYER
def test_there_and_back_again_keeps_the_function(cls, options):
    theirs = randomise(cls.counterpart(5, 7, dtype=torch.float64, **options))
    back = cls.from_torch(theirs).to_torch()
    assert vars(back)["mode"] == theirs.mode and back.all_weights[0][0].dtype == torch.float64
    same_function(back, theirs)
    assert cls.from_torch(theirs).to_torch().state_dict().keys() == theirs.state_dict().keys()


@EVERY_LAYER
def test_weights_are_copied_not_shared(cls, options):
    theirs = cls.counterpart(5, 7, **options)
    ours = cls.from_torch(theirs)
    before = copy.deepcopy(ours.state_dict())
    randomise(theirs)
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_mode_dtype_and_dropout_are_kept_both_ways(training, dtype):
    theirs = nn.GRU(5, 7, 2, dropout=0.25, dtype=dtype).train(training)
    ours = gw.GRU.from_torch(theirs)
    for layer in (ours, *ours.children(), ours.to_torch()):
        assert layer.training == training and {p.dtype for p in layer.parameters()} == {dtype}
    assert ours.dropout == ours.to_torch().dropout == 0.25


def test_frozen_weights_stay_frozen():
    theirs = nn.LSTM(5, 7, 2)
    theirs.weight_hh_l0.requires_grad_(False)
    theirs.bias_ih_l1.requires_grad_(False)  # its sum with bias_hh_l1 still learns
    ours = gw.LSTM.from_torch(theirs)
    assert {n for n, p in ours.named_parameters() if not p.requires_grad} == {f"l0.U_{gate}" for gate in "ifgo"}
    frozen = {n for n, p in ours.to_torch().named_parameters() if not p.requires_grad}
    assert frozen == {"weight_hh_l0"}


def test_a_frozen_layer_stays_frozen():
    ours = gw.GRU.from_torch(nn.GRU(5, 7).requires_grad_(False))
    assert not any(p.requires_grad for p in ours.parameters())
    assert not any(p.requires_grad for p in ours.to_torch().parameters())


def test_options_of_recurrent_go_along():
    ours = gw.LSTM.from_torch(nn.LSTM(5, 7), zoneout={"c": 0.1}, initial="learned", engine="reference")
    assert ours.zoneout == {"c": 0.1} and ours.engine == "reference"
    assert not ours.get_parameter("l0.initial_c").any()


class Special(nn.LSTM):
    """A subclass, which may do anything."""


@pytest.mark.parametrize(
    ("cls", "given", "message"),
    [
        (gw.LSTM, nn.GRU(5, 7), r"GRU given; LSTM.from_torch expects torch.nn.LSTM"),
        (gw.GRU, nn.RNN(5, 7), r"RNN given; GRU.from_torch expects torch.nn.GRU"),
        (gw.RNN, nn.Linear(5, 7), r"Linear given; RNN.from_torch expects torch.nn.RNN"),
        (gw.LSTM, Special(5, 7), r"Special given; LSTM.from_torch expects torch.nn.LSTM"),
    ],
)
def test_from_torch_takes_its_own_kind_only(cls, given, message):
    with pytest.raises(InputError, match=message):
        cls.from_torch(given)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("variational", True),
        ("recurrent_dropout", {"g": 0.1}),
        ("zoneout", {"h": 0.1}),
        ("residual", True),
        ("initial", "learned"),
    ],
)
def test_what_torch_has_not_cannot_go_to_torch(option, value):
    with pytest.raises(InputError, match=rf"{option}=.* has no counterpart in torch.nn.LSTM"):
        gw.LSTM(5, 7, **{option: value}).to_torch()


@pytest.mark.parametrize("cls", [gw.GRU, gw.RNN])
def test_a_projection_is_refused_where_torch_has_none(cls):
    with pytest.raises(InputError, match=rf"{cls.__name__} takes no proj_size, as torch.nn.{cls.__name__}; gw.Rec"):
        cls(5, 7, proj_size=3)
    cls(5, 7, proj_size=0)


# -- whole models


class Model(nn.Module):
    """Recurrent layers in every kind of place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(5, 7)
        self.inner = nn.ModuleDict({"list": nn.ModuleList([nn.GRU(7, 6, batch_first=True), nn.Linear(6, 6)])})
        self.stack = nn.Sequential(nn.RNN(6, 4, nonlinearity="relu"))
        self.alias = self.first  # the same layer again, in the same module
        self.inner["shared"] = self.first  # and in another
        self.cell = nn.LSTMCell(4, 4)
        self.special = Special(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        first = self.first(x)[0] + self.alias(x)[0] + self.inner["shared"](x)[0]
        second = self.inner["list"][1](self.inner["list"][0](first)[0])
        third, state = self.stack(second)
        return third, self.special(third)[0], self.cell(third[0])[0], state


def test_convert_replaces_every_layer_inside_and_keeps_the_function():
    model, x = Model().double(), random(4, 3, 5)
    expected, places = model(x), list(dict(model.named_modules(remove_duplicate=False)))
    assert gw.convert(model) is model
    all_same(model(x), expected)
    kinds = {name: type(module) for name, module in model.named_modules(remove_duplicate=False)}
    assert (kinds["first"], kinds["inner.list.0"], kinds["stack.0"]) == (gw.LSTM, gw.GRU, gw.RNN)
    assert [name for name in kinds if not name.rpartition(".")[2].startswith("l0")] == places


def test_convert_leaves_cells_and_subclasses_alone():
    model = Model()
    cell, special = model.cell, model.special
    gw.convert(model)
    assert model.cell is cell and type(cell) is nn.LSTMCell and model.special is special and type(special) is Special


def test_a_layer_in_several_places_stays_one():
    model = gw.convert(Model())
    assert type(model.alias) is gw.LSTM
    assert model.first is model.alias is model.inner["shared"]


def test_convert_returns_a_recurrent_layer_itself_converted():
    theirs = nn.GRU(5, 7).double()
    ours = gw.convert(theirs)
    assert type(ours) is gw.GRU
    same_function(ours, theirs)


def test_convert_keeps_the_mode_of_each_layer():
    model = nn.ModuleList([nn.LSTM(5, 7), nn.LSTM(5, 7)])
    model[0].eval()
    gw.convert(model)
    assert [layer.training for layer in model] == [False, True]


def test_convert_where_other_devices_and_dtypes_are_the_default():
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            planned, real = gw.convert(nn.LSTM(5, 7)), gw.convert(nn.LSTM(5, 7, device="cpu", dtype=torch.float32))
            back = real.to_torch()
    finally:
        torch.set_default_dtype(torch.float32)
    assert {p.device.type for p in planned.parameters()} == {"meta"}
    assert {(p.device.type, p.dtype) for m in (real, back) for p in m.parameters()} == {("cpu", torch.float32)}
    same_function(real, back)


def test_convert_again_changes_nothing():
    model = gw.convert(Model())
    before = dict(model.named_modules())
    assert dict(gw.convert(model).named_modules()) == before


def test_convert_of_a_model_without_recurrent_layers_changes_nothing():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    assert gw.convert(model) is model


def test_convert_gives_its_options_to_each_layer():
    model = gw.convert(Model(), engine="reference")
    assert {m.engine for m in model.modules() if isinstance(m, gw.Recurrent)} == {"reference"}


# -- all or nothing


class Scaled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def tied_to_another(model: Model) -> None:
    model.inner["list"][1].weight = nn.Parameter(torch.randn(18, 6))
    model.inner["list"][0].weight_hh_l0 = model.inner["list"][1].weight


def tied_to_itself(model: Model) -> None:
    layer = model.stack[0]
    layer.bias_hh_l0 = layer.bias_ih_l0


def with_a_parameter_more(model: Model) -> None:
    model.stack[0].scale = nn.Parameter(torch.ones(()))


def with_another_forward(model: Model) -> None:
    layer = model.stack[0]
    layer.forward = layer.forward


OBSTACLES = {
    "pruned": (
        lambda m: prune.l1_unstructured(m.stack[0], "weight_hh_l0", 0.5),
        r"stack.0: weight_hh_l0 is pruned: torch.nn.utils.prune.remove\(layer, 'weight_hh_l0'\) first$",
    ),
    "weight norm": (
        lambda m: nn.utils.weight_norm(m.stack[0], "weight_hh_l0"),
        r"stack.0: weight_hh_l0 is made of other tensors: remove what normalises it first \(torch.nn.utils.remove_sp",
    ),
    "spectral norm": (
        lambda m: nn.utils.spectral_norm(m.inner["list"][0], "weight_ih_l0"),
        r"inner.list.0: weight_ih_l0 is made of other tensors: remove what normalises it first",
    ),
    "parametrised": (
        lambda m: parametrize.register_parametrization(m.stack[0], "weight_hh_l0", Scaled()),
        r"stack.0: weight_hh_l0 is parametrised: torch.nn.utils.parametrize.remove_parametrizations\(layer, 'weight_hh",
    ),
    "tied": (tied_to_another, r"inner.list.0: weight_hh_l0 is also inner.list.1.weight: convert before they are tied$"),
    "tied to itself": (tied_to_itself, r"stack.0: its weights are tied among themselves: convert before that$"),
    "a parameter more": (with_a_parameter_more, r"stack.0: it holds scale beside its own weights: move that elsewhere"),
    "another forward": (with_another_forward, r"stack.0: its forward was replaced: convert before that$"),
    "state_dict hooks": (
        lambda m: m.stack[0].register_state_dict_pre_hook(print),
        r"stack.0: hooks on its state_dict know names that change: remove them$",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_layer_that_cannot_be_converted_is_named_and_the_model_stays_as_it_was(obstacle):
    change, message = OBSTACLES[obstacle]
    model = Model()
    change(model)
    modules, parameters = dict(model.named_modules(remove_duplicate=False)), dict(model.named_parameters())
    with pytest.raises(InputError, match=f"^{message}"):
        gw.convert(model)
    assert dict(model.named_modules(remove_duplicate=False)) == modules
    assert all(value is parameters[name] for name, value in model.named_parameters())


@pytest.mark.parametrize("wrong", [{"engine": "warp"}, {"zoneout": {"c": 0.1}}, {"no_such": 1}], ids=str)
def test_an_option_that_does_not_fit_leaves_the_model_as_it_was(wrong):
    model = Model()
    modules = dict(model.named_modules())
    with pytest.raises((InputError, TypeError)):
        gw.convert(model, **wrong)
    assert dict(model.named_modules()) == modules


def test_the_remedies_that_are_named_lead_on():
    model, x = Model(), torch.randn(4, 3, 5)
    layer = model.inner["list"][0]
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    parametrize.register_parametrization(layer, "weight_ih_l0", Scaled())
    expected = model(x)
    prune.remove(layer, "weight_hh_l0")
    parametrize.remove_parametrizations(layer, "weight_ih_l0")
    gw.convert(model)
    assert type(model.inner["list"][0]) is gw.GRU
    all_same(model(x), expected)


def test_a_parametrised_subclass_of_somebodys_own_is_left_as_it_is():
    model = nn.Sequential(Special(5, 7))
    parametrize.register_parametrization(model[0], "weight_hh_l0", Scaled())
    assert isinstance(gw.convert(model)[0], Special)


def test_hooks_of_calls_go_along_and_their_handles_still_remove_them():
    model, seen = nn.Sequential(nn.LSTM(5, 7)), []
    handles = [
        model[0].register_forward_pre_hook(lambda module, *_: seen.append(("before", type(module)))),
        model[0].register_forward_hook(lambda module, *_: seen.append(("after", type(module)))),
        model[0].register_full_backward_hook(lambda module, *_: seen.append(("back", type(module)))),
    ]
    x = torch.randn(4, 3, 5, requires_grad=True)
    gw.convert(model)(x)[0].sum().backward()
    assert seen == [("before", gw.LSTM), ("after", gw.LSTM), ("back", gw.LSTM)]
    for handle in handles:
        handle.remove()
    model(x)
    assert len(seen) == 3


@EVERY_LAYER
def test_to_torch_gives_the_weights_that_are_used(cls, options):
    ours = randomise(cls(5, 7, dtype=torch.float64, **options))
    for place in ours.children():
        for name in [name for name, shape in place.shapes.items() if name.startswith("U_")]:
            prune.l1_unstructured(place, name, 0.5)
        for name in [name for name, shape in place.shapes.items() if name.startswith("W_")]:
            parametrize.register_parametrization(place, name, Scaled())
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(0.7)
        theirs = ours.to_torch()
    same_function(ours, theirs)
    assert all(parameter.requires_grad for parameter in theirs.parameters())


# -- torch's state_dicts


@EVERY_LAYER
def test_a_state_dict_of_torch_loads(cls, options):
    theirs = randomise(cls.counterpart(5, 7, dtype=torch.float64, **options))
    ours = cls(5, 7, dtype=torch.float64, **options)
    given = theirs.state_dict()
    keys = list(given)
    result = ours.load_state_dict(given, strict=True)
    assert not result.missing_keys and not result.unexpected_keys and list(given) == keys
    same_function(ours, theirs)


@EVERY_LAYER
def test_a_state_dict_of_ones_own_loads(cls, options):
    first, second = randomise(cls(5, 7, **options)), cls(5, 7, **options)
    second.load_state_dict(first.state_dict())
    same_function(first, second)


class Nested(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(2, 5), kind(5, 7, 2)])

    def forward(self, x: Tensor) -> tuple:
        return self.parts[1](self.parts[0](x))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_state_dict_of_a_bigger_model_loads(kind):
    theirs, ours = randomise(Nested(getattr(nn, kind)).double()), Nested(getattr(gw, kind)).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    same_function(ours, theirs, 4, 3, 2)


def test_a_state_dict_loads_into_a_copy_of_a_layer():
    theirs, original = randomise(nn.LSTM(5, 7)), gw.LSTM(5, 7)
    twin = copy.deepcopy(original)
    before = original.l0.W_i.clone()
    twin.load_state_dict(theirs.state_dict())
    same_function(twin, theirs)
    assert torch.equal(original.l0.W_i, before)


def test_a_state_dict_can_be_assigned():
    theirs, ours = randomise(nn.LSTM(5, 7)), gw.LSTM(5, 7, device="meta")
    ours.load_state_dict(theirs.state_dict(), assign=True)
    assert ours.l0.W_f.device.type == "cpu" and torch.equal(ours.l0.W_f, theirs.weight_ih_l0[7:14])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nn.LSTM(5, 8), r"size mismatch for l0.W_i: .*\[8, 5\].*\[7, 5\]"),
        (nn.LSTM(4, 7), r"size mismatch for l0.W_i: .*\[7, 4\].*\[7, 5\]"),
        (nn.LSTM(5, 7, 2), r"Unexpected key\(s\) in state_dict: .*l1.W_i"),
        (nn.LSTM(5, 7, bias=False), r"Missing key\(s\) in state_dict: .*l0.b_i"),
        (nn.LSTM(5, 7, proj_size=3), r"size mismatch for l0.U_i|Unexpected key"),
        (nn.GRU(5, 7), r"size mismatch for l0.W_i"),
        (nn.Linear(5, 7), r"Unexpected key\(s\) in state_dict: .*weight.*bias"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_refused(given, message):
    with pytest.raises(RuntimeError, match=f"(?s){message}"):
        gw.LSTM(5, 7).load_state_dict(given.state_dict())


@pytest.mark.parametrize("kind", ["weight_ih_l0", "weight_hh_l0", "bias_hh_l0"])
def test_an_entry_of_the_wrong_size_is_reported_under_its_name_in_the_model(kind):
    state = Nested(nn.GRU).state_dict()
    state[f"parts.1.{kind}"] = torch.zeros(3, 2)
    with pytest.raises(RuntimeError, match=r"size mismatch for parts\.1\.(l0\.|bias_hh_l0)"):
        Nested(gw.GRU).load_state_dict(state)


@pytest.mark.parametrize("kind", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
def test_an_entry_that_is_missing_is_reported_as_such(kind):
    state = nn.GRU(5, 7).state_dict()
    del state[kind]
    with pytest.raises(RuntimeError, match="Missing key"):
        gw.GRU(5, 7).load_state_dict(state)


def test_biases_are_summed_but_for_the_one_inside_the_reset():
    theirs = randomise(nn.GRU(5, 7))
    ours = gw.GRU.from_torch(theirs)
    same(ours.l0.b_z, theirs.bias_ih_l0[7:14] + theirs.bias_hh_l0[7:14])
    same(ours.l0.b_n, theirs.bias_ih_l0[14:])
    same(ours.l0.b_hn, theirs.bias_hh_l0[14:])
