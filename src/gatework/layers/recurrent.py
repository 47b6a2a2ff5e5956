"""Recurrent: any cell as a torch module; stacking, directions, masks, state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from gatework.cells import Cell, find_cell
from gatework.engines import Arguments, Cache, Frozen, Ready, Stack, choose, is_eager, lacking, may_stack, run_at_once
from gatework.errors import InputError
from gatework.layers import autocast, check
from gatework.layers.autocast import autocast_dtype, run_dtype
from gatework.layers.frozen import FrozenLayer, check_weights
from gatework.layers.initial import initialise
from gatework.layers.masks import cell_masks, drop, positive
from gatework.layers.programs import Programs
from gatework.layers.record import Watcher
from gatework.layers.states import State, state_of, state_type
from gatework.layers.stream import Stream
from gatework.layers.symbolic import call_of
from gatework.layers.weights import Weights, first
from gatework.notation import Program, projected

# What `repr` leaves out where it has this value.
USUAL = {
    "num_layers": 1,
    "batch_first": False,
    "bidirectional": False,
    "proj_size": 0,
    "dropout": 0.0,
    "variational": False,
    "recurrent_dropout": {},
    "zoneout": {},
    "residual": False,
    "init": None,
    "initial": "zero",
    "recompute": False,
}

Plain = tuple[Ready | None, tuple[Tensor, ...]]  # what runs plain calls, or None: each is decided anew; the start state
_NOT_READY: Plain = None, ()
LayerResults = tuple[Tensor, list[tuple[Tensor, ...]]]  # output [T,B,D*H], states [B,size] of each layer and direction
AtOnce = LayerResults | None  # as a name, which torch.compile can read
R = TypeVar("R")

Init = str | float | Mapping[str, str | float]


class Recurrent(nn.Module):
    """Runs a cell over sequences: stacked, in one or both directions, with the state given, carried and returned.

    forward(x, state=None, *, lengths=None, resets=None) -> (output, state)

    Args:
        cell: a name of `gw.cells`, a `gw.Cell`, or equations as text.
        input_size, hidden_size, num_layers: I, H and L.
        batch_first: x, resets and output are [B,T,...].
        bidirectional: D = 2 directions, else 1.
        proj_size: R; the output is projected, h = P_h @ (...); 0 for none.
        dropout: on the output of each layer but the last.
        variational: one mask for all steps, of `dropout` and `recurrent_dropout`.
        recurrent_dropout: probability by name of the value dropped inside the cell, {"g": 0.1} for the candidate.
        zoneout: probability by state of standing still, {"h": 0.05, "c": 0.1}; outside training the state moves by
            the expectation.
        residual: each layer but the first adds its input to its output.
        init: start of the parameters over the cell's own, a rule such as "torch", "chrono(100)", or a mapping of
            names or patterns to rules (`gatework.layers.initial`).
        initial: the state at the start is "zero" (or the cell's `start`) or "learned".
        recompute: training saves the states alone, and the backward pass computes the rest again: less memory, more
            work.
        engine: "auto", or the name of one, which then runs or raises.
        device, dtype: of the parameters.

    Shapes:
        x: [T,B,I], with batch_first [B,T,I], or [T,I] without a batch.
        state: a tuple with one tensor [L*D,B,H] per state of the cell, output first (without a batch [L*D,H]).
        lengths: [B], 0 to T. Past its length a sequence's state stands still and its output is 0; the reverse
            direction starts at each sequence's own end.
        resets: [T,B] bool ([B,T] with batch_first): before such a step the state is the start state again, and no
            gradient crosses.

    Returns:
        output [T,B,D*H], R in place of H with a projection, and the state, a named tuple: state.h, state.c.

    Raises:
        InputError: arguments, shapes, dtypes or devices that do not fit.
        EquationError: equations that cannot be read.

    Source:
        Gal & Ghahramani 2016 (`variational`), Semeniuta et al. 2016 (`recurrent_dropout`), Krueger et al. 2017
        (`zoneout`).
    """

    def __init__(
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        bidirectional: bool = False,
        proj_size: int = 0,
        dropout: float = 0.0,
        variational: bool = False,
        recurrent_dropout: Mapping[str, float] | None = None,
        zoneout: Mapping[str, float] | None = None,
        residual: bool = False,
        init: Init | None = None,
        initial: str = "zero",
        recompute: bool = False,
        engine: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = find_cell(cell)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check.size(name, size, least=1)
        check.size("proj_size", proj_size, least=0)
        check.choice("initial", initial, ("zero", "learned"))
        flags = {"batch_first": batch_first, "bidirectional": bidirectional, "recompute": recompute}
        for name, flag in (flags | {"variational": variational, "residual": residual}).items():
            check.flag(name, flag)
        self.input_size, self.hidden_size, self.proj_size = input_size, hidden_size, proj_size
        self.num_layers, self.bidirectional, self.batch_first = num_layers, bidirectional, batch_first
        self.dropout, self.variational = check.probability("dropout", dropout), variational
        if self.dropout and num_layers == 1:
            check.warn(f"dropout={dropout} acts between layers, and num_layers=1 leaves nothing between: no effect")
        self.recurrent_dropout = check.probabilities("recurrent_dropout", recurrent_dropout)
        self.zoneout = check.probabilities("zoneout", zoneout)
        self.residual, self.initial, self.init = residual, initial, init
        self.recompute, self.engine = recompute, engine
        self.watcher: Watcher | None = None
        self.kept: dict[str, Frozen] = {}  # of a frozen layer, what the engine made of its weights
        self.caches: dict[str, Cache[Plain]] = {}  # of each layer in each direction

        self._parse()
        self.directions = ("", "_reverse") if bidirectional else ("",)
        self.sizes: list[dict[str, int]] = []
        self.units: list[dict[str, int]] = []  # of each value that an equation assigns
        for layer in range(num_layers):
            self._add_layer(layer, device=device, dtype=dtype)
        choose(engine, self.anchor.device, self.anchor.dtype, self.lacks, self.program)
        self.reset_parameters()

    def _parse(self) -> None:
        """Reads the equations, with what calls in training and outside add to them: names are checked now, not then."""
        cell, dropout, zoneout = self.cell, self.recurrent_dropout, self.zoneout
        self.equations = cell.equations
        if self.proj_size and "R" not in cell.program.sizes:
            self.equations = projected(self.equations, cell.output)
        self._programs = Programs(cell, self.equations)
        self.program = self._programs.get()
        self.lacks = lacking(self.program)  # operations that the native core has not
        self.state_names = tuple(state.name for state in self.program.states)
        state_type(self.state_names)
        self._programs.get(dropout, zoneout)
        for dropped in (positive(dropout), ()):  # in training, and outside: torch.compile finds them
            self._programs.get(dropped, positive(zoneout))
        check.can_stand_still(zoneout, self.program.states)

    def _add_layer(self, layer: int, **options: Any) -> None:
        """Adds the sizes and, for each direction, the weights of a layer."""
        width = self.input_size if layer == 0 else self.output_size
        sizes = self.program.bind(width, self.hidden_size, self.proj_size)
        self.sizes.append(sizes)
        self.units.append({name: sizes[self.program.nodes[index].size] for name, index in self.program.named})
        for direction in self.directions:
            self.add_module(f"l{layer}{direction}", Weights(self.program, sizes, self.initial == "learned", **options))
            self.caches[f"l{layer}{direction}"] = Cache()

    @property
    def output_size(self) -> int:
        """D*H, the width of the output; D*R with a projection."""
        return len(self.directions) * self.sizes[0][self.program.output_size]

    @property
    def state_shapes(self) -> dict[str, tuple[int, int]]:
        """L*D and the size of each state, by name, output first."""
        slots = self.num_layers * len(self.directions)
        return {state.name: (slots, self.sizes[0][state.size]) for state in self.program.states}

    @property
    def anchor(self) -> Tensor:
        """A tensor of the layer's device and dtype as its weights lie; of a cell without parameters torch's default."""
        return next(self.parameters(), torch.empty(0))

    def weights(self, layer: int, direction: str) -> nn.Module:
        """What holds the weights of one layer in one direction: see gatework.layers.weights.Weights."""
        return cast(nn.Module, self._modules[f"l{layer}{direction}"])

    def reset_parameters(self) -> None:
        """Draws all parameters again, by the cell's `init` and the layer's."""

        def fill(tensors: Mapping[str, Tensor]) -> None:
            initialise(self.program, tensors, self.hidden_size, cell_init=self.cell.init, layer_init=self.init)
            for state in self.program.states if self.initial == "learned" else ():
                nn.init.constant_(tensors[f"initial_{state.name}"], state.start)

        for weights in self.children():
            cast(Weights, weights).draw(fill)

    def forward(
        self,
        x: Tensor,
        state: Sequence[Tensor] | Tensor | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Runs the layers over x.

        Args:
            x: [T,B,I]; [B,T,I] with batch_first; [T,I] of one sequence.
            state: the state before the first step, a tensor [L*D,B,H] for each state of the cell; by default the start
                state.
            lengths: [B] whole numbers from 0 to T, the steps of each sequence; by default T.
            resets: bool, shaped as x without I: where a step begins from the start state again.

        Returns:
            The output, its last size D*H, and the state after the last step of each sequence, [L*D,B,H] by name; the
            output's H, and that of its state, is R with a projection.

        Raises:
            InputError: shapes, dtypes or devices that do not fit the layer.
        """
        if isinstance(x, Proxy):
            return call_of(self, x, state, lengths=lengths, resets=resets)
        check.sequence(x, self.input_size, self.batch_first)
        resets, batched = check.resets(resets, x), x.dim() == 3
        if not batched:
            x = x[:, None]
            resets = None if resets is None else resets[:, None]
        elif self.batch_first:
            x = x.transpose(0, 1)
            resets = None if resets is None else resets.transpose(0, 1)
        T, B = x.shape[:2]
        lengths = None if lengths is None else check.lengths(lengths, T, B, x.device)
        initial = None if state is None else check.state(state, self.state_shapes, B, batched)
        run = self._stacked_under_autocast if autocast.is_on(x.device.type) else self._stacked
        x, states = run(x, initial, lengths, resets)
        if not batched:
            x, states = x[:, 0], [value[:, 0] for value in states]
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, self.named(states)

    if TYPE_CHECKING:  # nn.Module says Any of what a call returns
        __call__ = forward

    def stream(
        self, batch_size: int = 1, state: Sequence[Tensor] | Tensor | None = None, weights: str = "float32"
    ) -> Stream:
        """The layers one step at a time, from a state or the start.

        Args:
            batch_size: B, the sequences that take steps together.
            state: a tensor [L,B,H] for each state of the cell; by default the start state.
            weights: how matrices are stored: "float32", "bfloat16" or "int8".

        Returns:
            A gatework.layers.stream.Stream.

        Raises:
            InputError: a bidirectional layer, one that is being recorded, a state that does not fit, or weights that
                its engine or dtype cannot store so.
        """
        check_weights(self, weights)
        return Stream(self, batch_size, state, weights)

    def frozen(self, weights: str = "float32") -> FrozenLayer:
        """The layer for inference alone, its weights packed once.

        Args:
            weights: how matrices are stored: "float32", "bfloat16" or "int8".

        Returns:
            A gatework.layers.frozen.FrozenLayer, which is called as the layer is.

        Raises:
            InputError: a layer that is being recorded, or weights that its engine or dtype cannot store so.
        """
        return FrozenLayer(self, weights)

    def freeze(self, weights: str) -> None:
        """Has the engine keep what it makes of the weights, which must not change from now on."""
        places = [f"l{layer}{direction}" for layer in range(self.num_layers) for direction in self.directions]
        self.kept = {place: Frozen(weights) for place in places}

    def named(self, states: Sequence[Tensor]) -> Any:
        """The states as the layer returns them."""
        if torch.compiler.is_exporting():  # what is exported is loaded where the named tuple is unknown
            return tuple(states)
        return state_of(self.state_names, states)

    def _stacked_under_autocast(
        self, x: Tensor, initial: tuple[Tensor, ...] | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """As `_stacked`, with the output in the dtype that autocast asks for."""
        if autocast_dtype(x) is not None and autocast_dtype(anchor := next(self.parameters(), x)) is not None:
            x = x.to(self._run_dtype(anchor))  # once for both directions
        x, states = self._stacked(x, initial, lengths, resets)
        asked = autocast_dtype(states[0])
        return x if asked is None else x.to(asked), states

    def _stacked(
        self, x: Tensor, initial: tuple[Tensor, ...] | None, lengths: Tensor | None, resets: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """x [T,B,I] through all layers and directions: output [T,B,D*H] and states [L*D,B,H] each."""
        final: list[tuple[Tensor, ...]] = []
        slots = self.num_layers * len(self.directions)
        while len(final) < slots:
            layer, rest = len(final) // len(self.directions), range(len(final), slots)
            old = [None if initial is None else tuple(value[slot] for value in initial) for slot in rest]
            made = self._at_once(x, old, lengths, resets, layer)
            y, new = self._one_layer(x, old, lengths, resets, layer) if made is None else made  # y [T,B,D*H]
            final += new
            y = y + x if self.residual and layer > 0 else y
            p = self.dropout if len(final) < slots else 0.0
            x = drop(y, p, variational=self.variational, training=self.training)
        return x, [torch.stack(v) if len(v) > 1 else v[0].unsqueeze(0) for v in zip(*final, strict=True)]

    def _one_layer(
        self,
        x: Tensor,
        states: Sequence[tuple[Tensor, ...] | None],
        lengths: Tensor | None,
        resets: Tensor | None,
        layer: int,
    ) -> LayerResults:
        """A layer in its directions. states: of this layer and those above."""
        plain = self.bidirectional and self._is_plain and lengths is None and resets is None
        if plain and not torch.compiler.is_compiling():
            results = self._run_both(x, states[:2], layer)
        else:
            results = [
                self.weights(layer, direction)(self._run, x, state, lengths, resets, layer, direction)
                for direction, state in zip(self.directions, states, strict=False)
            ]
        outputs = [output for output, _ in results]
        return torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0], [new for _, new in results]

    # -- several layers, or both directions of one, in one call

    def _at_once(
        self,
        x: Tensor,
        states: Sequence[tuple[Tensor, ...] | None],
        lengths: Tensor | None,
        resets: Tensor | None,
        layer: int,
    ) -> AtOnce:
        """As `_one_layer`, also of the layers above with nothing between; None where the engine takes them singly."""
        masked = self.recurrent_dropout or self.zoneout
        if masked or self.watcher is not None or not may_stack(self.engine, x.device):
            return None
        between = self.residual or (self.training and self.dropout)  # whose masks are of torch's generator, as ever
        layers = range(layer, layer + 1 if between else self.num_layers)
        places = [(layer, direction) for layer in layers for direction in self.directions]
        stack = choose(self.engine, x.device, x.dtype, self.lacks, self.program).stack
        if len(places) == 1 or stack is None:
            return None

        def run(x: Tensor, weights: Sequence[Mapping[str, Tensor]]) -> AtOnce:
            given = list(zip(weights, states, places, strict=False))
            anchor, *_ = [self._check(own, x, state, *place) for own, state, place in given]
            start = [self._start(own, anchor, layer, x.shape[1]) for own, _, (layer, _) in given]
            begun = [own if state is None else state for own, (_, state, _) in zip(start, given, strict=True)]
            made = stack(self._cast(Stack(self.program, weights, x, begun, start, lengths, resets), anchor))
            return made and (made[0], [tuple(value.to(anchor.dtype) for value in new) for new in made[1]])

        return self._with_weights(places, x, run)

    def _cast(self, stack: Stack, anchor: Tensor) -> Stack:
        """A stack of this layer's directions in the dtype that the engine is given."""
        dtype = self._run_dtype(anchor)
        params = [{name: value.to(dtype) for name, value in own.items()} for own in stack.params]
        state, start = (
            [tuple(value.to(dtype) for value in own) for own in some] for some in (stack.state, stack.start)
        )
        both = self.bidirectional
        return replace(stack, params=params, x=stack.x.to(dtype), state=state, start=start, bidirectional=both)

    def _with_weights(
        self, places: Sequence[tuple[int, str]], x: Tensor, use: Callable[[Tensor, Sequence[Mapping[str, Tensor]]], R]
    ) -> R:
        """What `use` returns of x and the weights of layers in directions, which are there until it returns.

        x goes through each of them, so that hooks of modules see what has a gradient go in.
        """

        def descend(x: Tensor, *taken: Mapping[str, Tensor]) -> R:
            if len(taken) == len(places):
                return use(x, taken)
            return cast(R, self.weights(*places[len(taken)])(lambda own, x: descend(x, *taken, own), x))

        return descend(x)

    # -- one layer, one direction

    def _run(
        self,
        weights: Mapping[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...] | None,
        lengths: Tensor | None,
        resets: Tensor | None,
        layer: int,
        direction: str,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """x [T,B,I] -> output [T,B,H] and the new state; what is decided of a plain call holds for others like it."""
        if lengths is not None or resets is not None or not self._is_plain:
            return self._decide(weights, x, state, lengths, resets, layer, direction)
        ready, start = self._plain(weights, x, state, layer, direction)
        if ready is None:
            return self._decide(weights, x, state, None, None, layer, direction)
        output, new, _ = ready([x, *(state or start), *start, *weights.values()])
        return output, tuple(new)

    def _run_both(
        self, x: Tensor, states: Sequence[tuple[Tensor, ...] | None], layer: int
    ) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """As `_run` of both directions, at once where the engine can."""

        def run(x: Tensor, weights: Sequence[Mapping[str, Tensor]]) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
            sides = list(zip(weights, states, self.directions, strict=True))
            plain = [self._plain(own, x, state, layer, direction) for own, state, direction in sides]
            calls = [ready for ready, _ in plain if ready is not None]
            if len(calls) < len(plain):
                return [self._run(own, x, state, None, None, layer, direction) for own, state, direction in sides]
            starts = [start for _, start in plain]
            given = [
                [x, *(state or start), *start, *own.values()]
                for (own, state, _), start in zip(sides, starts, strict=True)
            ]
            return [(output, tuple(new)) for output, new, _ in run_at_once(calls, given)]

        return self._with_weights([(layer, direction) for direction in self.directions], x, run)

    def _plain(
        self, weights: Mapping[str, Tensor], x: Tensor, state: tuple[Tensor, ...] | None, layer: int, direction: str
    ) -> Plain:
        """What runs a plain call, cached for others like it."""
        place = f"l{layer}{direction}"
        cache = self.caches[place]
        facts = x.shape, state is None, self.engine, self.recompute, self.kept.get(place)
        given = x, *(state or ()), *weights.values()
        known = cache.get(facts, *given)
        if known is None and is_eager(*given):
            known = self._bind(weights, x, state, layer, direction)
            cache.put(known, facts, *given)
        return known or _NOT_READY

    @property
    def _is_plain(self) -> bool:
        """Whether calls read nothing but x, states and weights, and nobody watches."""
        return self.watcher is None and self.initial == "zero" and not (self.recurrent_dropout or self.zoneout)

    def _bind(
        self, weights: Mapping[str, Tensor], x: Tensor, state: tuple[Tensor, ...] | None, layer: int, direction: str
    ) -> Plain:
        """What runs a plain call and others like it."""
        anchor = self._check(weights, x, state, layer, direction)
        bind = choose(self.engine, x.device, x.dtype, self.lacks, self.program).ready
        if bind is None or autocast_dtype(anchor) is not None:
            return _NOT_READY
        start = self._start(weights, anchor, layer, x.shape[1])
        arguments = Arguments(
            self.program,
            weights,
            x,
            start if state is None else state,
            start=start,
            recompute=self.recompute,
            reverse=direction != "",
            frozen=self.kept.get(f"l{layer}{direction}"),
        )
        return bind(arguments, len(self.directions)), start

    def _check(
        self, weights: Mapping[str, Tensor], x: Tensor, state: tuple[Tensor, ...] | None, layer: int, direction: str
    ) -> Tensor:
        """Checks that all have one device and, outside autocast, one dtype; returns a tensor that has them."""
        anchor = first(weights, x)
        check.alike(weights, f"l{layer}{direction}")
        check.like(x, "x" if layer == 0 else f"the output of l{layer - 1}", anchor)
        check.states(state, self.state_names, anchor)
        return anchor

    def _decide(
        self,
        weights: Mapping[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...] | None,
        lengths: Tensor | None,
        resets: Tensor | None,
        layer: int,
        direction: str,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `_run`, under autocast in what that asks for."""
        anchor = self._check(weights, x, state, layer, direction)
        start = self._start(weights, anchor, layer, x.shape[1])
        state = start if state is None else state
        if autocast_dtype(anchor) is None:
            return self._scan(weights, x, state, start, lengths, resets, layer, direction)
        dtype = self._run_dtype(anchor)
        weights = {name: value.to(dtype) for name, value in weights.items()}
        state, start = (tuple(value.to(dtype) for value in values) for values in (state, start))
        output, new = self._scan(weights, x.to(dtype), state, start, lengths, resets, layer, direction)
        return output, tuple(value.to(anchor.dtype) for value in new)

    def _run_dtype(self, anchor: Tensor) -> torch.dtype:
        """What the engine is given."""
        return run_dtype(anchor, "reference" if self.lacks else self.engine, self.program)

    def _scan(
        self,
        weights: Mapping[str, Tensor],
        x: Tensor,
        state: tuple[Tensor, ...],
        start: tuple[Tensor, ...],
        lengths: Tensor | None,
        resets: Tensor | None,
        layer: int,
        direction: str,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `_run`, through the engine."""
        sizes, watcher = self.units[layer], self.watcher
        taps = {} if watcher is None else watcher.taps(sizes | {"x": x.shape[2]}, x.shape[:2], start[0])
        x = x + taps["x"] if "x" in taps else x
        inputs, program = self._masks(x, sizes, self.training), self.program
        inputs |= {f"tap {name}": tap for name, tap in taps.items() if name != "x"}
        if inputs or watcher is not None:
            program = self._programs.get(
                dropout=tuple(n for n in self.recurrent_dropout if f"dropout {n}" in inputs),
                zoneout=tuple(n for n in self.zoneout if f"zoneout {n}" in inputs),
                taps=tuple(name for name in taps if name != "x"),
                retention=() if watcher is None else watcher.retained,
            )
        arguments = Arguments(
            program,
            weights,
            x,
            state,
            start=start,
            lengths=lengths,
            resets=resets,
            inputs=inputs,
            record=() if watcher is None else watcher.computed,
            recompute=self.recompute,
            reverse=direction != "",
            frozen=self.kept.get(f"l{layer}{direction}"),
        )
        output, new, values = choose(self.engine, x.device, x.dtype, self.lacks, program).run(arguments)
        if watcher is not None:
            watcher.add(f"l{layer}{direction}", {**values, "x": x}, taps)
        return output, new

    def start(self, layer: int, direction: str, B: int, like: Tensor | None = None) -> tuple[Tensor, ...]:
        """The state before the first step, [B,size] each: learned, or the numbers the cell starts at.

        like: has the device and dtype, where the cell has no parameters to say them.
        """
        like = torch.empty(0) if like is None else like
        return cast(tuple[Tensor, ...], self.weights(layer, direction)(self._start, like, layer, B))

    def _start(self, weights: Mapping[str, Tensor], like: Tensor, layer: int, B: int) -> tuple[Tensor, ...]:
        if self.initial == "learned":
            return tuple(weights[f"initial_{name}"].expand(B, -1) for name in self.state_names)
        anchor, sizes = first(weights, like), self.sizes[layer]
        made: dict[
            tuple[int, float], Tensor
        ] = {}  # states that start alike share one tensor, which is never written on
        for state in self.program.states:
            kind = sizes[state.size], state.start
            if kind not in made:
                made[kind] = anchor.new_full((B, kind[0]), state.start)
        return tuple(made[sizes[state.size], state.start] for state in self.program.states)

    def outside_training(self, layer: int, x: Tensor) -> tuple[Program, dict[str, Tensor]]:
        """What runs a layer forwards outside training, with its weights: Program, and inputs beside x [T,B,I]."""
        program = self._programs.get(zoneout=positive(self.zoneout))
        return program, self._masks(x, self.units[layer], training=False)

    def _masks(self, x: Tensor, units: Mapping[str, int], training: bool) -> dict[str, Tensor]:
        dropout, zoneout, variational = self.recurrent_dropout, self.zoneout, self.variational
        return cell_masks(x, units, dropout, zoneout, variational=variational, training=training)

    def __prepare_scriptable__(self) -> NoReturn:
        """What torch.jit.script asks for."""
        raise InputError(
            f"torch.jit.script reads Python's source, and {type(self).__name__} is made of equations: "
            "use torch.compile or torch.export, or torch.jit.trace"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        caches: dict[str, Cache[Plain]] = {place: Cache() for place in state["_modules"]}
        super().__setstate__({"kept": {}, "caches": caches, **state})  # type: ignore[no-untyped-call]
        state_type(self.state_names)

    def extra_repr(self) -> str:
        values = [f"{name}={getattr(self, name)!r}" for name, usual in USUAL.items() if getattr(self, name) != usual]
        sizes = f"{self.cell.name}, {self.input_size}, {self.hidden_size}"
        return ", ".join([sizes, *values, f"engine={self.engine!r}: {self._engine()}"])

    def _engine(self) -> str:
        """The engine that runs and why, or why none does."""
        try:
            anchor = self.anchor
            choice = choose(self.engine, anchor.device, self._run_dtype(anchor), self.lacks, self.program)
        except InputError as error:
            return f"none ({error})"
        return f"{choice.name} ({choice.reason})"
