"""A model with its optimiser and carried state: one update, and the tensors that a checkpoint needs of them."""

import hashlib
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gatework.errors import InputError
from gatework.training.checkpoint import Checkpoint, check_tensors, put_weights
from gatework.training.processes import World
from gatework.training.settings import Settings

_COMPUTED_IN = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of a parameter


class Learner:
    """Updates a model from groups of batches, the state carried from each batch to the next.

    state: None at the start of an epoch, else what the model returned last, cut off from its past.
    """

    def __init__(self, model: nn.Module, settings: Settings, world: World) -> None:
        self.model = model.to(world.device)
        self.world = world
        self.settings = settings
        self.state: tuple[Tensor, ...] | None = None
        self._named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.optimizer = _optimizer([p for _, p in self._named], settings)

    def begin(self) -> None:
        """Start every process from the first one's weights."""
        for tensor in self.model.state_dict().values():
            self.world.copy_first(tensor)

    def seed(self, step: int) -> None:
        """Make the random numbers of a step a function of the seed, the process and the step.

        So a checkpoint needs no state of any generator, which torch would take from a file without looking, and no
        evaluation can disturb the dropout masks after it.
        """
        text = f"{self.settings.seed} {self.world.rank} {step}"
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for every device there is, each time
        if (kind := self.world.device.type) != "cpu":
            torch.get_device_module(kind).manual_seed(seed)

    def update(
        self, group: Sequence[tuple[Any, Any]], step: int, rate: float, extra_scalars: Sequence[float]
    ) -> Tensor:
        """Make step number `step` from a group of batches at the given rate.

        Returns [loss, gradient norm before clipping, *extra_scalars], means over the processes, still on the device:
        to read it is to wait for the step.
        """
        self.model.train()
        self.seed(step)
        self.optimizer.zero_grad()
        losses = [self._learn(inputs, targets, len(group)) for inputs, targets in group]
        parameters = [p for _, p in self._named if p.grad is not None]
        figures = torch.stack([torch.stack(losses).sum(), *(losses[0].new_tensor(scalar) for scalar in extra_scalars)])
        figures = self._average([p.grad for p in parameters if p.grad is not None], figures)
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.settings.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.settings.clip, norm)
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        self.optimizer.step()
        return torch.cat([figures[:1], norm.to(figures).reshape(1), figures[1:]])

    def _learn(self, inputs: Any, targets: Any, parts: int) -> Tensor:
        """Add one batch's share to the gradients; returns its share of the loss."""
        inputs, targets = self.world.to_device((inputs, targets))
        with self.world.autocast():
            loss, state = self.model(inputs, targets, self.state)
        self.state = _cut(state)
        share = loss / parts
        share.backward()
        loss_share: Tensor = share.detach()
        return loss_share.float() if loss_share.dtype.itemsize < 4 else loss_share

    def _average(self, grads: list[Tensor], figures: Tensor) -> Tensor:
        """Replace gradients and `figures` by their means over the processes.

        One message for all of them, by hand: DistributedDataParallel would need to search each step's graph for
        parameters without a gradient (a learned first state has one only at an epoch's start), and adds in another
        order after its first step, so that a resumed run would differ in the last bits.
        """
        if self.world.size == 1:
            return figures
        whole = self.world.mean(torch.cat([*(grad.reshape(-1) for grad in grads), figures]))
        *parts, figures = torch.split(whole, [*(grad.numel() for grad in grads), len(figures)])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))
        return figures

    @contextmanager
    def judging(self) -> Iterator[nn.Module]:
        """The model as an evaluation uses it: no dropout, no gradients."""
        self.model.eval()
        try:
            with torch.no_grad(), self.world.autocast():
                yield self.model
        finally:
            self.model.train()

    def snapshot(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint; every process must call this, for the streams' states are gathered."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self._named:
            for moment, tensor in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{name}.{moment}"] = tensor
        for index, part in enumerate(self.state or ()):
            if not self.world.is_same(part.shape[1]):
                raise InputError("the processes have different numbers of streams: give each the same share")
            tensors[f"state.{index}"] = torch.cat(self.world.gather(part), dim=1)  # [L*D,B,H], B of all
        return tensors

    @property
    def fields(self) -> list[str]:
        """The names of the carried state's parts, if it has names."""
        return list(getattr(self.state, "_fields", ()))

    def not_finite(self, tensors: dict[str, Tensor]) -> str | None:
        """The first learned or carried tensor of a snapshot with a nan or inf in it; a buffer may have its reasons."""
        buffers = {f"model.{name}" for name, _ in self.model.named_buffers()}
        for name, tensor in tensors.items():
            if name not in buffers and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                return name
        return None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up what `snapshot` saved; InputError if it is not of this model or cannot be shared out."""
        put_weights(checkpoint, self.model)
        self._restore_moments(checkpoint)
        self.state = self._restored_state(checkpoint)

    def _restored_state(self, checkpoint: Checkpoint) -> tuple[Tensor, ...] | None:
        """The carried state, compared with that of a model which can say what it carries."""
        parts, fields = checkpoint.part("state"), checkpoint.progress.fields
        if not parts:
            return None
        wanted = {str(k): _like_a_state(parts.get(str(k), torch.empty(0))) for k in range(len(parts))}
        if (carried := getattr(self.model, "carried", None)) is not None:
            streams = max(part.shape[1] if part.dim() > 1 else 0 for part in parts.values())
            wanted = {str(k): part for k, part in enumerate(carried(streams))}
        check_tensors(checkpoint.path, parts, wanted)
        if fields and len(fields) != len(parts):
            raise InputError(f"{checkpoint.path} is damaged: it names {len(fields)} states and holds {len(parts)}")
        return _named_tuple(fields)([self._share(checkpoint, parts[str(k)]) for k in range(len(parts))])

    def _share(self, checkpoint: Checkpoint, whole: Tensor) -> Tensor:
        """This process's streams of a carried state."""
        size = self.world.size
        if whole.dim() < 2 or whole.shape[1] % size:
            raise InputError(
                f"{checkpoint.path} carries the states of {whole.shape[1] if whole.dim() > 1 else 0} streams, "
                f"which {size} processes cannot share equally"
            )
        return whole.chunk(size, dim=1)[self.world.rank].contiguous().to(self.world.device)

    def _restore_moments(self, checkpoint: Checkpoint) -> None:
        """Give the optimiser what it knew of each parameter."""
        saved = checkpoint.part("optimizer")
        wanted: dict[str, Tensor] = {}
        for name, parameter in self._named:
            if f"{name}.step" in saved:  # one that never had a gradient has no moments
                wanted |= {f"{name}.{moment}": parameter for moment in _MOMENTS[1:]}
                wanted[f"{name}.step"] = torch.empty(())
        check_tensors(checkpoint.path, saved, wanted)
        for name, parameter in self._named:
            if f"{name}.step" in saved:
                moments = {moment: saved[f"{name}.{moment}"].to(parameter.device) for moment in _MOMENTS}
                self.optimizer.state[parameter] = moments


def _optimizer(parameters: Iterable[nn.Parameter], settings: Settings) -> torch.optim.Optimizer:
    trained = list(parameters)
    if not trained:
        raise InputError("the model has no parameters to train")
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    # Matrices decay; a bias (a forget gate's start at 1, say) is no measure of complexity.
    groups = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return kind([group for group in groups if group["params"]], lr=settings.learning_rate, fused=True)


def _cut(state: Any) -> tuple[Tensor, ...] | None:
    """The state without its past, of the same kind of tuple."""
    if state is None:
        return None
    if not isinstance(state, tuple) or not all(isinstance(part, Tensor) and part.dim() > 1 for part in state):
        raise TypeError("a model's state must be None or a tuple of tensors with the batch on dim 1")
    parts = [part.detach() for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def _like_a_state(part: Tensor) -> Tensor:
    """A part of the state of a model without `carried`: numbers of a type that it computes in."""
    return part if part.dtype in _COMPUTED_IN else torch.empty(part.shape)


def _named_tuple(names: list[str]) -> Callable[[list[Tensor]], tuple[Tensor, ...]]:
    """How to make a carried state whose parts have these names: a model may ask for `state.h`."""
    if not names:
        return tuple
    kind = namedtuple("State", names, rename=True)  # type: ignore[misc]
    return lambda parts: kind(*parts)
