"""Which device a process computes on, what several talk by, and batches sent ahead: as far as no GPU is needed."""

import signal
from pathlib import Path

import pytest
import torch
from training_toys import Streams, Told, Toy, run_toy

from gatework.errors import InputError
from gatework.training.feeding import Feed
from gatework.training.processes import World, backend_of, device_of, launch

TWO = {"cuda": 2, "mps": 0, "cpu": 1}
NONE = {"cuda": 0, "mps": 0, "cpu": 1}


@pytest.mark.parametrize(
    ("name", "local_rank", "there", "device"),
    [
        ("auto", 0, NONE, "cpu"),
        ("auto", 1, NONE, "cpu"),
        ("auto", 1, TWO, "cuda:1"),
        ("cuda", 0, TWO, "cuda:0"),
        ("cuda", 1, TWO, "cuda:1"),
        ("cuda:1", 0, TWO, "cuda:1"),
        ("cpu", 1, TWO, "cpu"),
        ("auto", 0, {"cuda": 0, "mps": 1, "cpu": 1}, "mps"),
    ],
)
def test_each_process_has_a_device_of_its_own(name, local_rank, there, device):
    assert device_of(name, local_rank, there) == torch.device(device)


@pytest.mark.parametrize(
    ("name", "local_rank", "there", "said"),
    [
        ("cuda", 0, NONE, "this machine has none"),
        ("cuda:2", 0, TWO, "GPU 2 is asked for, and this machine has 2"),
        ("cuda", 2, TWO, "GPU 2 is asked for, and this machine has 2"),
        ("meta", 0, TWO, "expected 'auto', 'cuda', 'mps', 'cpu'"),
    ],
)
def test_a_device_that_is_not_there_is_refused(name, local_rank, there, said):
    with pytest.raises(ValueError, match=said):
        device_of(name, local_rank, there)


def test_processes_talk_by_what_their_devices_have():
    assert backend_of(torch.device("cuda", 1), 2, "cuda") == "nccl"
    assert backend_of(torch.device("cuda", 1), 2, "auto") == "nccl"
    assert backend_of(torch.device("cpu"), 2, "cpu") == "gloo"
    with pytest.raises(ValueError, match="2 processes need a GPU each; 'cuda' gives each its own"):
        backend_of(torch.device("cuda", 1), 2, "cuda:1")
    with pytest.raises(ValueError, match="compute on 'cpu' or 'cuda'"):
        backend_of(torch.device("mps"), 2, "auto")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_without_a_gpu_it_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=f"device '{name}' cannot be used: this machine has none") as refused:
        launch(device=name)
    assert "\n" not in str(refused.value)


def test_the_next_batch_is_read_ahead_and_none_over_the_end_of_an_epoch():
    seen = []

    class Noted:
        def set_epoch(self, epoch):
            seen.append(f"epoch {epoch}")

        def __len__(self):
            return 3

        def __getitem__(self, index):
            seen.append(index)
            return index, index

    feed = Feed(Noted(), send=lambda batch: (*batch, "sent"))
    feed.open_epoch(0)
    assert feed.read(0, 2) == [(0, 0), (1, 1)]
    feed.read_ahead(2)
    assert seen == ["epoch 0", 0, 1, 2]
    assert feed.read(2, 3) == [(2, 2, "sent")]
    feed.read_ahead(3)
    feed.open_epoch(1)
    feed.read_ahead(0)
    feed.open_epoch(2)
    assert feed.read(0, 1) == [(0, 0)]  # not what was read in another epoch's order
    assert seen == ["epoch 0", 0, 1, 2, "epoch 1", 0, "epoch 2", 0]


class Shuffled(Streams):
    """Streams whose order is a function of the epoch."""

    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        return super().__getitem__((index + self.epoch) % len(self))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("stop_at", [5, 7])
def test_reading_ahead_changes_no_loss_and_no_resumed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accumulate: int, stop_at: int
):
    def losses(run: str, told: Told, resume: bool = False) -> list[float]:
        run_toy(tmp_path / run, told, model=Toy(), batches=Shuffled(), accumulate=accumulate, resume=resume)
        return told.losses

    plain = losses("plain", Told())
    monkeypatch.setattr(World, "to_device", lambda _, data: data)
    monkeypatch.setattr(World, "sends_ahead", True)
    assert losses("ahead", Told()) == plain
    first = losses("parts", Told(stop_at, lambda: signal.raise_signal(signal.SIGINT)))
    assert first + losses("parts", Told(), resume=True) == plain
    assert len(first) == stop_at
