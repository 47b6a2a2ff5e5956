"""gw.LSTM, gw.GRU, gw.RNN: what torch.nn's layers take and return, over gatework's cells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatework.cells import TORCH_LAYERS, Cell, TorchLayer, cells
from gatework.errors import InputError
from gatework.layers import check
from gatework.layers.recurrent import USUAL, Recurrent
from gatework.layers.states import LSTMState
from gatework.layers.torch_modules import kind, obstacle

S = TypeVar("S")


class DropIn(Recurrent, Generic[S]):
    """A Recurrent with torch.nn's arguments, inputs, states and weights."""

    counterpart: ClassVar[type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]]

    def __init__(self, cell: str, bias: bool, *sizes: int, **options: Any) -> None:
        if options.get("proj_size") and self.counterpart is not nn.LSTM:
            name = type(self).__name__
            raise InputError(f"{name} takes no proj_size, as torch.nn.{name}; gw.Recurrent projects other cells")
        check.flag("bias", bias)
        chosen = cells[cell] if bias else _without_bias(cells[cell])
        super().__init__(chosen, *sizes, **{"init": "torch", **options})
        self.bias = bias
        self.layout: TorchLayer = TORCH_LAYERS["projected_lstm" if self.proj_size else cell]
        self.register_load_state_dict_pre_hook(_unpack_state_dict)  # type: ignore[no-untyped-call]

    @overload  # type: ignore[override] # the state is torch.nn's: a single one by itself
    def forward(
        self,
        input: Tensor,
        hx: Sequence[Tensor] | Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, S]: ...

    @overload
    def forward(
        self, input: PackedSequence, hx: Sequence[Tensor] | Tensor | None = None
    ) -> tuple[PackedSequence, S]: ...

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Sequence[Tensor] | Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, S]:
        """As torch.nn's: (output, state); further `lengths` and `resets` as in gw.Recurrent."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        return cast(tuple[Tensor, S], super().forward(input, hx, lengths=lengths, resets=resets))

    if TYPE_CHECKING:
        __call__ = forward  # type: ignore[assignment]

    def named(self, states: Sequence[Tensor]) -> Any:
        """The states as torch.nn's layers return them: a single one by itself."""
        return super().named(states) if len(states) > 1 else states[0]

    def _run_packed(self, input: PackedSequence, hx: Sequence[Tensor] | Tensor | None) -> tuple[PackedSequence, S]:
        x, lengths = pad_packed_sequence(input, batch_first=self.batch_first)
        output, state = self.forward(x, hx, lengths=lengths.to(x.device))
        if input.sorted_indices is not None:  # its own order: another sort may exchange sequences of one length
            output = output.index_select(0 if self.batch_first else 1, input.sorted_indices)
            lengths = lengths[input.sorted_indices.cpu()]
        data = pack_padded_sequence(output, lengths, self.batch_first).data
        return PackedSequence(data, *input[1:]), state

    def flatten_parameters(self) -> None:
        """Does nothing: torch's layers need it for cuDNN, here packing is the engine's."""

    @property
    def mode(self) -> str:
        """What torch.nn's layer calls its kind: LSTM or GRU."""
        return self.counterpart.__name__

    def __getattr__(self, name: str) -> Any:
        """What a module holds; of torch.nn's weights, which stand apart here, an error says where."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if not name.startswith(("weight_", "bias_", "all_weights")):
                raise
        here = _origins(self)
        names = here[name] if name in here else dict.fromkeys(own for weights in here.values() for own in weights)
        raise AttributeError(f"{name} stands here gate by gate: {', '.join(names)}; to_torch() packs them") from None

    @classmethod
    def from_torch(cls, module: nn.RNNBase, **options: Any) -> Self:
        """The same function with torch's weights copied.

        A torch layer adds two biases where this one has their sum.

        Args:
            module: the torch layer of the same name.
            options: gw.Recurrent's own, such as engine.

        Returns:
            A layer of this class.

        Raises:
            InputError: another kind of layer, and one whose weights are pruned, normalised or parametrised.
        """
        if kind(module) is not cls.counterpart:
            raise InputError(
                f"{type(module).__name__} given; {cls.__name__}.from_torch expects torch.nn.{cls.__name__}"
            )
        if reason := obstacle(module):
            raise InputError(reason)
        names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
        arguments = {name: getattr(module, name) for name in names}
        if module.proj_size:
            arguments["proj_size"] = module.proj_size
        if module.mode.startswith("RNN"):
            arguments["nonlinearity"] = module.mode.removeprefix("RNN_").lower()
        weight = module.weight_ih_l0
        made = cls(**arguments, device=weight.device, dtype=weight.dtype, **options).train(module.training)
        made.load_state_dict(module.state_dict(), strict=made.initial != "learned")
        learns: dict[str, bool] = {}
        for key, here in _origins(made).items():
            learns |= {name: learns.get(name, False) or module.get_parameter(key).requires_grad for name in here}
        for name, wants in learns.items():
            made.get_parameter(name).requires_grad_(wants)
        return made

    def to_torch(self) -> nn.RNNBase:
        """The torch.nn layer with the same function, of pruned, normalised and parametrised weights as they are used.

        Returns:
            The layer of torch.nn with this one's name.

        Raises:
            InputError: where torch has none.
        """
        for name in ("variational", "recurrent_dropout", "zoneout", "residual", "initial"):
            if getattr(self, name) != USUAL[name]:
                raise InputError(f"{name}={getattr(self, name)!r} has no counterpart in torch.nn.{type(self).__name__}")
        weights = _effective(self)
        weight = next(iter(weights.values()))
        made = self.counterpart(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            bias=self.bias,
            batch_first=self.batch_first,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            device=weight.device,
            dtype=weight.dtype,
            **self._torch_options(),
        ).train(self.training)
        made.load_state_dict(_pack(self, weights))
        for key, names in _origins(self).items():
            made.get_parameter(key).requires_grad_(any(weights[name].requires_grad for name in names))
        return made

    def _torch_options(self) -> dict[str, Any]:
        return {}


class LSTM(DropIn[LSTMState]):
    """Long short-term memory with torch.nn.LSTM's arguments, inputs and returns; cell "lstm".

    i, f, o = sigmoid(W x_t + U h_{t-1} + b), g = tanh(W_g x_t + U_g h_{t-1} + b_g),
    c_t = f c_{t-1} + i g, h_t = o tanh(c_t); with proj_size R, h_t = P_h (o tanh(c_t)).

    forward(input, hx=None, *, lengths=None, resets=None) -> (output, state). A state_dict of torch.nn.LSTM loads.

    Args:
        input_size, hidden_size, num_layers: I, H and L.
        bias: False for equations without b.
        batch_first: input, output and resets are [B,T,...].
        dropout: on the output of each layer but the last.
        bidirectional: D = 2 directions, else 1.
        proj_size: R; 0 for none.
        device, dtype: of the parameters.
        **more: those of gw.Recurrent that torch lacks: engine, init, initial, variational, zoneout, ...

    Shapes:
        input: [T,B,I], with batch_first [B,T,I], [T,I] without a batch, or a PackedSequence.
        hx: (h, c), [L*D,B,H] each, h [L*D,B,R] with a projection (without a batch [L*D,H]).
        lengths, resets: as in gw.Recurrent.

    Returns:
        output [T,B,D*H], R in place of H with a projection, packed where input was; and the state (h, c) after the
        last step.

    Raises:
        InputError: arguments, shapes, dtypes or devices that do not fit.

    Source:
        Hochreiter & Schmidhuber 1997, Gers et al. 2000 (f), Sak et al. 2014 (`proj_size`).
    """

    counterpart = nn.LSTM

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        **more: Any,
    ) -> None:
        more |= {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more |= {"proj_size": proj_size, "device": device, "dtype": dtype}
        super().__init__("lstm", bias, input_size, hidden_size, num_layers, **more)

    def _torch_options(self) -> dict[str, Any]:
        return {"proj_size": self.proj_size}


class GRU(DropIn[Tensor]):
    """Gated recurrent unit with torch.nn.GRU's arguments, inputs and returns; cell "gru_reset_after".

    r, z = sigmoid(W x_t + U h_{t-1} + b), n = tanh(W_n x_t + b_n + r (U_n h_{t-1} + b_hn)),
    h_t = (1 - z) n + z h_{t-1}.

    The form as published is gw.Recurrent("gru", ...).
    forward(input, hx=None, *, lengths=None, resets=None) -> (output, h). A state_dict of torch.nn.GRU loads.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype: as of gw.LSTM.
        **more: those of gw.Recurrent that torch lacks.

    Shapes:
        input: [T,B,I], with batch_first [B,T,I], [T,I] without a batch, or a PackedSequence.
        hx: [L*D,B,H] (without a batch [L*D,H]).
        lengths, resets: as in gw.Recurrent.

    Returns:
        output [T,B,D*H], packed where input was, and h [L*D,B,H] after the last step.

    Raises:
        InputError: arguments, shapes, dtypes or devices that do not fit.

    Source:
        Cho et al. 2014; r after the product as in cuDNN.
    """

    counterpart = nn.GRU

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **more: Any,
    ) -> None:
        more |= {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more |= {"device": device, "dtype": dtype}
        super().__init__("gru_reset_after", bias, input_size, hidden_size, num_layers, **more)


class RNN(DropIn[Tensor]):
    """The plain recurrent network with torch.nn.RNN's arguments, inputs and returns; cells "rnn", "rnn_relu".

    h_t = tanh(W_h x_t + U_h h_{t-1} + b_h), or relu in place of tanh.

    forward(input, hx=None, *, lengths=None, resets=None) -> (output, h). A state_dict of torch.nn.RNN loads.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype: as of gw.LSTM.
        nonlinearity: "tanh" or "relu".
        **more: those of gw.Recurrent that torch lacks.

    Shapes:
        input: [T,B,I], with batch_first [B,T,I], [T,I] without a batch, or a PackedSequence.
        hx: [L*D,B,H] (without a batch [L*D,H]).
        lengths, resets: as in gw.Recurrent.

    Returns:
        output [T,B,D*H], packed where input was, and h [L*D,B,H] after the last step.

    Raises:
        InputError: arguments, shapes, dtypes or devices that do not fit.

    Source:
        Elman 1990.
    """

    counterpart = nn.RNN

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **more: Any,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise InputError(f"nonlinearity is {nonlinearity!r}; expected 'tanh' or 'relu'")
        self_options = {"batch_first": batch_first, "dropout": dropout, "bidirectional": bidirectional}
        more |= {**self_options, "device": device, "dtype": dtype}
        cell = "rnn" if nonlinearity == "tanh" else "rnn_relu"
        super().__init__(cell, bias, input_size, hidden_size, num_layers, **more)
        self.nonlinearity = nonlinearity

    @property
    def mode(self) -> str:
        """RNN_TANH or RNN_RELU."""
        return f"RNN_{self.nonlinearity.upper()}"

    def _torch_options(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}


def _without_bias(cell: Cell) -> Cell:
    """The cell with every bias b_... the constant 0."""
    biases = [p.name for p in cell.program.parameters if p.kind == "vector" and p.name.startswith("b_")]
    return replace(
        cell,
        constants={**cell.constants, **dict.fromkeys(biases, 0.0)},
        init={key: rule for key, rule in cell.init.items() if key not in biases},
    )


# -- torch's packed weights (weight_ih_l0, gate under gate) and those of the equations (l0.W_i), either way


def _unpack(tensors: Mapping[str, Tensor], layer: DropIn[Any]) -> dict[str, Tensor]:
    """Torch's packed tensors (weight_ih_l0, ...) under the names of the equations (l0.W_i, ...)."""
    ours: dict[str, Tensor] = {}
    gates, hidden_bias = layer.layout.gates, layer.layout.hidden_bias
    for key, tensor in tensors.items():
        kind, _, place = key.partition("_l")
        rows = dict(zip(gates, tensor.chunk(len(gates)), strict=False))
        if kind == "weight_hr":
            ours[f"l{place}.{layer.layout.projection}"] = tensor
        for gate, part in rows.items():
            match kind:
                case "weight_ih":
                    ours[f"l{place}.W_{gate}"] = part
                case "weight_hh":
                    ours[f"l{place}.U_{gate}"] = part
                case "bias_hh" if gate in hidden_bias:
                    ours[f"l{place}.{hidden_bias[gate]}"] = part
                case "bias_ih" | "bias_hh":
                    name = f"l{place}.b_{gate}"
                    ours[name] = ours[name] + part if name in ours else part
    return ours


def _origins(layer: DropIn[Any]) -> dict[str, list[str]]:
    """Torch's packed names -> the names of the equations whose values stand there, in the order of the rows."""
    sources: dict[str, list[str]] = {}
    for place, _ in layer.named_children():
        gates, hidden_bias = layer.layout.gates, layer.layout.hidden_bias
        sources[f"weight_ih_{place}"] = [f"{place}.W_{gate}" for gate in gates]
        sources[f"weight_hh_{place}"] = [f"{place}.U_{gate}" for gate in gates]
        if layer.bias:
            sources[f"bias_ih_{place}"] = [f"{place}.b_{gate}" for gate in gates]
            sources[f"bias_hh_{place}"] = [f"{place}.{hidden_bias.get(gate, f'b_{gate}')}" for gate in gates]
        if layer.layout.projection:
            sources[f"weight_hr_{place}"] = [f"{place}.{layer.layout.projection}"]
    return sources


def _effective(layer: DropIn[Any]) -> dict[str, Tensor]:
    """The layer's weights as it uses them, by their names (l0.W_i): pruned, normalised, parametrised."""
    with torch.enable_grad():  # so that they say whether they learn
        places = {place: weights(dict) for place, weights in layer.named_children()}
    return {f"{place}.{name}": tensor for place, tensors in places.items() for name, tensor in tensors.items()}


def _pack(layer: DropIn[Any], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The layer's weights as torch packs them; bias_hh is 0 but where it is a parameter of its own."""
    sources = _origins(layer)
    once = {name for key, names in sources.items() if not key.startswith("bias_hh") for name in names}

    def value(key: str, name: str) -> Tensor:
        own = weights[name].detach()
        return torch.zeros_like(own) if key.startswith("bias_hh") and name in once else own

    return {key: torch.cat([value(key, name) for name in names]) for key, names in sources.items()}


def _unpack_state_dict(layer: DropIn[Any], state_dict: dict[str, Tensor], prefix: str, *more: Any) -> None:
    """Lets a torch.nn state_dict load: its packed entries are replaced by those of the equations."""
    metadata, *_, errors = more
    starts = tuple(f"{prefix}{kind}_l" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"))
    theirs = {key: state_dict.pop(key) for key in list(state_dict) if key.startswith(starts)}
    for key in [key for key in theirs if key.startswith(f"{prefix}bias_hh")]:
        twin = theirs.get(key.replace("bias_hh", "bias_ih"), theirs[key])
        if twin.shape != theirs[key].shape:
            errors.append(f"size mismatch for {key}: {list(theirs[key].shape)} beside bias_ih of {list(twin.shape)}")
            del theirs[key]
    ours = _unpack({key.removeprefix(prefix): tensor for key, tensor in theirs.items()}, layer)
    assigned = metadata.get("assign_to_params_buffers", False)  # what becomes a parameter needs memory of its own
    state_dict.update({prefix + name: tensor.clone() if assigned else tensor for name, tensor in ours.items()})
