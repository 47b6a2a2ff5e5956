"""On a GPU: training computes there, is resumed to the same losses, and its run files move between devices."""

import signal
from pathlib import Path

import pytest
import torch
from training_toys import Told, Toy, run_toy

from gatework.training.checkpoint import load_checkpoint
from gatework.training.processes import World, launch

pytestmark = pytest.mark.cuda


def losses(run: Path, told: Told, device: str, resume: bool = False) -> list[float]:
    run_toy(run, told, model=Toy(), world=launch(device=device), resume=resume, evaluate=None)
    return told.losses


def stopping() -> Told:
    return Told(7, lambda: signal.raise_signal(signal.SIGINT))


def test_a_resumed_run_has_the_losses_of_one_never_stopped(tmp_path: Path):
    whole = losses(tmp_path / "whole", Told(), "cuda")
    first = losses(tmp_path / "parts", stopping(), "cuda")
    assert first + losses(tmp_path / "parts", Told(), "cuda", resume=True) == whole


@pytest.mark.parametrize(("begun", "ended"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_on_another_device(tmp_path: Path, begun: str, ended: str):
    first = losses(tmp_path, stopping(), begun)
    rest = losses(tmp_path, Told(), ended, resume=True)
    assert len(first) + len(rest) == 12
    assert {tensor.device.type for tensor in load_checkpoint(tmp_path / "last.safetensors").tensors.values()} == {"cpu"}


def test_batches_go_through_pinned_memory_to_the_device():
    world = World(0, 1, torch.device("cuda", 0), "float32")
    numbers = torch.arange(12.0).reshape(3, 4)
    sent, (inner,) = world.to_device((numbers, [numbers]))
    assert sent.device == inner.device == world.device
    assert torch.equal(sent.cpu(), numbers)
