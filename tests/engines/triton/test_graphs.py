"""Graphs: what is replayed computes what was called, on the numbers of this call; no more are kept than may be."""

import pytest
import torch

from gatework.engines.triton import graphs


class Recorder:
    """As a CUDA graph: does its work again on what then lies in the memory that it was recorded with."""

    def __init__(self):
        self.recorded = self.replayed = 0

    def __call__(self, function, tensors):
        self.recorded += 1
        results = function(tensors)
        for result in results:
            result.fill_(torch.nan)  # recording computes nothing
        return Replay(
            self, lambda: [to.copy_(value) for to, value in zip(results, function(tensors), strict=True)]
        ), results


class Replay:
    def __init__(self, recorder, work):
        self.recorder, self.work = recorder, work

    def replay(self):
        self.recorder.replayed += 1
        self.work()


def doubled(tensors):
    return [2 * tensor for tensor in tensors]


@pytest.fixture
def recorder():
    return Recorder()


def test_every_call_gets_the_results_of_its_own_numbers_in_memory_of_its_own(recorder):
    kept = graphs.Graphs(recorder)
    given = [torch.arange(6.0).view(2, 3).t() + n for n in range(4)]
    results = [kept.run("doubled", doubled, [tensor])[0] for tensor in given]
    for tensor, result in zip(given, results, strict=True):
        assert torch.equal(result, 2 * tensor)


def test_the_first_call_of_a_kind_runs_as_it_is_and_the_second_is_recorded_once(recorder):
    kept = graphs.Graphs(recorder)
    x = torch.ones(3)
    kept.run("doubled", doubled, [x])
    assert recorder.recorded == recorder.replayed == 0
    for _ in range(3):
        kept.run("doubled", doubled, [x])
    assert (recorder.recorded, recorder.replayed) == (1, 3)


@pytest.mark.parametrize(
    "other", [("halved", torch.ones(3)), ("doubled", torch.ones(4)), ("doubled", torch.ones(3, dtype=torch.float64))]
)
def test_calls_of_another_kind_shape_or_dtype_are_not_replayed_by_its_graph(recorder, other):
    kept = graphs.Graphs(recorder)
    for _ in range(2):
        kept.run("doubled", doubled, [torch.ones(3)])
    kind, x = other
    kept.run(kind, doubled, [x])
    assert recorder.replayed == 1


def test_the_graph_longest_unused_makes_room(recorder):
    kept = graphs.Graphs(recorder, most=2)

    def call(units):
        kept.run("doubled", doubled, [torch.ones(units)])

    for units in (1, 1, 2, 2, 1, 3):  # 3 takes the place of 2
        call(units)
    assert len(kept) == 2
    recorder.replayed = 0
    call(1)
    assert recorder.replayed == 1
    call(2)
    assert recorder.replayed == 1


def test_without_a_cuda_device_calls_run_as_they_are():
    x = torch.ones(3)
    for _ in range(3):
        assert torch.equal(graphs.run("doubled", doubled, [x])[0], 2 * x)
    assert len(graphs.GRAPHS) == 0
