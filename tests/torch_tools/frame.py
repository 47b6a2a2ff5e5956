"""What a row of the table of tools is given, and how what comes out is held against the bare layer.

A row is a function of a Case, registered in `table` under the name that the documents give it:

    @tool("`torch.compile`")
    def compiled(case: Case) -> None:
        case.holds(torch.compile(case.layer))

It is run on every layer of LAYERS and on torch.nn's LSTM. What does not take the tool must fail with the message that
the row gives: `refused` for ours, `torch_fails` for torch's.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

import gatework as gw
from numerics import all_same, random, randomise, weighed

T, B, I, H = 6, 3, 4, 5
LENGTHS = (6, 2, 4)
WRAPPERS = ("_orig_mod.", "module.", "_checkpoint_wrapped_module.")  # what tools put before a parameter's name

CELLS: Mapping[str, Callable[..., nn.Module]] = {
    "gw.LSTM": lambda **options: gw.LSTM(I, H, **options),
    "gw.GRU": lambda **options: gw.GRU(I, H, **options),
    "gw.RNN": lambda **options: gw.RNN(I, H, **options),
    "peephole_lstm": lambda **options: gw.Recurrent("peephole_lstm", I, H, **options),
    "rhn_3": lambda **options: gw.Recurrent("rhn_3", I, H, **options),  # three stages
}
VENDOR: Mapping[str, Callable[[], nn.Module]] = {  # on torch's own functions, which are those of these cells alone
    "gw.LSTM": lambda: gw.LSTM(I, H, num_layers=2, bidirectional=True, engine="torch"),
    "gw.GRU": lambda: gw.GRU(I, H, bidirectional=True, engine="torch"),
    "gw.RNN": lambda: gw.RNN(I, H, bidirectional=True, engine="torch"),
}
WATCHED = "engine='torch' runs eager calls: for what torch's tools trace or wrap use engine='reference'"
TRANSFORMED = "^engine='torch' has no torch.func and forward mode: use engine='reference'"
LAYERS: Mapping[str, Callable[[], nn.Module]] = {
    f"{name} {layers}": lambda make=make, layers=layers: make(num_layers=layers, bidirectional=True)
    for name, make in CELLS.items()
    for layers in (1, 2)
}

Answers = dict[str, Tensor]


class Case:
    """A layer in both directions with random weights, an input with lengths, and the layer once more, untouched.

    layer: for the tool. bare: an equal one that the tool never sees. x: [T,B,I], a leaf. lengths: None for torch.nn's.
    places: the modules that hold weights. matrices: each as the module that holds it and its name there.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.layer = randomise(layer)
        self.bare = copy.deepcopy(layer)
        self.x = random(T, B, I, dtype=torch.float32, requires_grad=True)
        self.lengths = None if isinstance(layer, nn.RNNBase) else torch.tensor(LENGTHS)
        self.places = list(self.layer.children()) or [self.layer]
        self.matrices = [(place, n) for place in self.places for n, p in place.named_parameters() if p.dim() == 2]

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of a call."""
        return {} if self.lengths is None else {"lengths": self.lengths}

    def answers(self, call: Callable[..., Any], parameters: Mapping[str, Tensor], x: Tensor | None = None) -> Answers:
        """Output and states of a call, and what a loss on them gives by x and the parameters."""
        x = self.x.detach().clone().requires_grad_() if x is None else x
        torch.manual_seed(1)  # of masks, where a layer draws some
        output, state = call(x, **self.options)
        values = {"output": output} | {f"state {k}": value for k, value in enumerate(parts(state))}
        leaves = {"x": x} | {plain(name): p for name, p in parameters.items() if p.requires_grad}
        found = torch.autograd.grad(weighed(*values.values()), tuple(leaves.values()), materialize_grads=True)
        return values | {f"gradient of {name}": g for name, g in zip(leaves, found, strict=True)}

    def expected(self) -> Answers:
        """What the bare layer answers."""
        return self.answers(self.bare, dict(self.bare.named_parameters()))

    def holds(self, module: nn.Module | None = None) -> None:
        """The module, or else the layer, answers as the bare layer does: outputs, states, all gradients."""
        module = self.layer if module is None else module
        self.holds_call(module, dict(module.named_parameters()))

    def holds_call(self, call: Callable[..., Any], parameters: Mapping[str, Tensor]) -> None:
        """As `holds`, of any function of x and the keywords, with the parameters that it reads under their names."""
        expected = self.expected()
        found = self.answers(call, parameters)
        all_same({name: found[name] for name in expected}, expected)

    def holds_made(self, make: Callable[[nn.Module, str], Tensor]) -> None:
        """The layer, whose matrices a tool makes of other tensors, answers as the bare one does with what `make` makes.

        All parameters are moved first, so that a value from before shows; gradients are by those the tool has left.
        """
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.mul_(0.9)
        names = dict(self.bare.named_parameters())
        paths = {place: f"{path}." if path else "" for path, place in self.layer.named_modules()}

        def bare(x: Tensor, **options: Any) -> Any:
            values = {name: p for name, p in self.layer.named_parameters() if name in names}
            made = {paths[place] + name: make(place, name) for place, name in self.matrices}
            return functional_call(self.bare, values | made, (x,), options)

        parameters = dict(self.layer.named_parameters())
        all_same(self.answers(self.layer, parameters), self.answers(bare, parameters))


def plain(name: str) -> str:
    """A parameter's name without what tools put before it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def parts(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


@dataclass(frozen=True)
class Tool:
    """A row of the table.

    label: what the documents call it. says: a remark there. refused, vendor_refuses, torch_fails: where our layers,
    ours on engine="torch", or torch.nn's, do not take it, what their error says, as a pattern.
    """

    label: str
    run: Callable[[Case], None]
    says: str = ""
    refused: str = ""
    vendor_refuses: str = ""
    torch_fails: str = ""

    def cells(self) -> list[str]:
        """The row as the documents show it."""
        failures = (self.refused, self.vendor_refuses or self.refused, self.torch_fails)
        return [self.label, *("no" if fails else "yes" for fails in failures), self.says]


@dataclass
class Table:
    """The rows, by the names of their functions, in the order in which they were written."""

    rows: dict[str, Tool] = field(default_factory=dict)

    def tool(self, label: str, **options: str) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
        """Registers a row; the options are those of Tool."""

        def register(run: Callable[[Case], None]) -> Callable[[Case], None]:
            assert run.__name__ not in self.rows, f"{run.__name__} is there twice"
            self.rows[run.__name__] = Tool(label, run, **options)
            return run

        return register
