"""Contiguous streams side by side: each batch continues the one before, and nothing is lost unsaid."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatework.errors import InputError
from gatework.runs.parts import IGNORED
from gatework.text.data.batches import LanguageBatches, ScoringBatches
from gatework.text.data.streams import contiguous, share

sizes = st.integers(1, 6)


def test_abcdefgh_in_two_streams_of_two_steps():
    blocks = contiguous(np.array([*"abcdefgh"]), streams=2, steps=2)
    assert blocks.tolist() == [[["a", "b"], ["e", "f"]], [["c", "d"], ["g", "h"]]]


def test_contiguous_blocks_are_a_view():
    tokens = np.arange(10)
    assert np.shares_memory(tokens, contiguous(tokens, 2, 2))


@given(st.integers(0, 60), sizes, sizes)
def test_each_stream_read_through_all_blocks_is_contiguous(n, streams, steps):
    blocks = contiguous(np.arange(n), streams, steps)
    rows = blocks.swapaxes(0, 1).reshape(streams, -1)
    assert rows.reshape(-1).tolist() == [*range(rows.size)]
    assert n - rows.size < streams * steps


def test_batches_are_time_first_with_targets_one_token_on():
    batches = LanguageBatches(np.arange(10, dtype=np.uint8), streams=2, steps=2)
    inputs, targets = batches[0]
    assert inputs.tolist() == [[0, 4], [1, 5]]
    assert targets.tolist() == [[1, 5], [2, 6]]
    assert batches[1][0].tolist() == [[2, 6], [3, 7]]
    assert (inputs.dtype, targets.dtype) == (torch.int64, torch.int64)
    assert (len(batches), batches.dropped, batches.streams, batches.steps) == (2, 1, 2, 2)


@given(st.integers(0, 60), sizes, sizes)
def test_every_batch_continues_the_one_before(extra, streams, steps):
    n = streams * steps + 1 + extra
    batches = LanguageBatches(np.arange(n), streams, steps)
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    T = len(batches) * steps
    assert inputs.T.tolist() == [[*range(s * T, (s + 1) * T)] for s in range(streams)]
    assert torch.equal(targets, inputs + 1)
    assert batches.dropped == n - 1 - streams * T < streams * steps


@pytest.mark.parametrize(("streams", "steps"), [(1, 1), (1, 7), (7, 1), (3, 5)])
def test_exactly_enough_is_one_batch_and_one_short_is_an_error(streams, steps):
    needed = streams * steps + 1
    batches = LanguageBatches(np.arange(needed), streams, steps)
    assert (len(batches), batches.dropped) == (1, 0)
    with pytest.raises(InputError, match=f"need {needed} tokens, it has {needed - 1};"):
        LanguageBatches(np.arange(needed - 1), streams, steps)


def test_too_short_a_text_says_what_is_needed_and_what_to_do():
    with pytest.raises(InputError) as error:
        LanguageBatches(np.arange(900), 16, 128, name="the training part", unit="characters")
    assert str(error.value) == (
        "the training part is too short: 16 streams of 128 steps need 2,049 characters, it has 900; "
        "give more text, fewer streams (--streams) or fewer steps of each (--bptt)"
    )


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_processes_with_a_share_of_the_streams_see_what_one_with_all_sees(world):
    tokens = np.arange(100)
    whole = LanguageBatches(tokens, 6, 4)
    parts = []
    for rank in range(world):
        first, count = share(6, rank, world)
        assert {s // count for s in range(first, first + count)} == {rank}
        parts.append(LanguageBatches(tokens, 6, 4, first=first, count=count))
    for k, (inputs, targets) in enumerate(whole):
        assert torch.equal(inputs, torch.cat([part[k][0] for part in parts], dim=1))
        assert torch.equal(targets, torch.cat([part[k][1] for part in parts], dim=1))
    assert {(len(part), part.dropped, part.streams) for part in parts} == {(len(whole), whole.dropped, 6)}


def test_streams_that_cannot_be_shared_evenly_are_an_input_error():
    with pytest.raises(InputError, match=r"5 streams cannot be shared evenly by 2 processes: .* divisible by 2"):
        share(5, 0, 2)
    with pytest.raises(InputError, match="process 2 of 2: expected a rank from 0 to 1"):
        share(4, 2, 2)


@pytest.mark.parametrize("make", [LanguageBatches, ScoringBatches])
@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 0), (3, 2), (4, None)])
def test_a_share_outside_the_streams_is_an_input_error(make, first, count):
    with pytest.raises(InputError, match="there are 4, 0 to 3"):
        make(np.arange(100), 4, 2, first=first, count=count)


@pytest.mark.parametrize("make", [LanguageBatches, ScoringBatches])
@pytest.mark.parametrize(("streams", "steps"), [(0, 2), (2, 0), (-1, 2)])
def test_no_streams_or_steps_are_an_input_error(make, streams, steps):
    with pytest.raises(InputError, match=f"{streams} streams of {steps} steps: expected at least 1 of each"):
        make(np.arange(100), streams, steps)


@pytest.mark.parametrize("make", [LanguageBatches, ScoringBatches])
def test_tokens_that_are_no_row_of_whole_numbers_are_an_input_error(make):
    for wrong in [np.zeros((2, 3), int), np.zeros(9), np.array(3)]:
        with pytest.raises(InputError, match=r"expected whole numbers \[n\]"):
            make(wrong, 1, 1)


@pytest.mark.parametrize("make", [LanguageBatches, ScoringBatches])
@pytest.mark.parametrize("k", [-1, 5])
def test_there_is_no_batch_outside_the_epoch(make, k):
    batches = make(np.arange(21), 2, 2)
    assert len(batches) == 5
    with pytest.raises(IndexError, match="there are 5, 0 to 4"):
        batches[k]


@pytest.mark.parametrize("make", [LanguageBatches, ScoringBatches])
def test_batches_can_be_written_to_and_leave_the_tokens_alone(make, tmp_path):
    np.arange(21).astype("<i8").tofile(tmp_path / "tokens")
    for tokens in [np.arange(21), np.memmap(tmp_path / "tokens", "<i8", mode="r")]:
        batches = make(tokens, 1, 4)
        for tensor in batches[0]:
            tensor.fill_(9)
        assert tokens.tolist() == [*range(21)]
        assert batches[0][0].tolist() == [[0], [1], [2], [3]]


@given(st.integers(2, 60), sizes, sizes)
def test_scoring_predicts_every_token_but_the_first_exactly_once(n, streams, steps):
    batches = ScoringBatches(np.arange(n, dtype=np.uint16), streams, steps)
    scored = []
    for k, (inputs, targets, lengths) in enumerate(batches):
        assert inputs.shape == targets.shape == (int(lengths.max()), streams)
        for b, length in enumerate(lengths.tolist()):
            mine = targets[:length, b].tolist()
            assert mine == [batches.starts[b] + k * steps + t + 1 for t in range(length)]
            assert inputs[:length, b].tolist() == [token - 1 for token in mine]
            assert targets[length:, b].tolist() == [IGNORED] * (len(targets) - length)
            assert inputs[length:, b].tolist() == [0] * (len(inputs) - length)
            scored += mine
    assert sorted(scored) == [*range(1, n)]


@given(st.integers(2, 60), sizes, sizes)
def test_scoring_streams_are_even_and_end_only_at_the_end(n, streams, steps):
    lengths = torch.stack([lengths for *_, lengths in ScoringBatches(np.arange(n), streams, steps)])  # [K,B]
    totals = lengths.sum(0)
    assert int(totals.max() - totals.min()) <= 1
    assert totals.tolist() == sorted(totals.tolist(), reverse=True)
    for k, block in enumerate(lengths):
        assert block.tolist() == (totals - k * steps).clamp(0, steps).tolist()


def test_scoring_a_stream_that_is_over_has_length_zero():
    *_, (inputs, targets, lengths) = ScoringBatches(np.arange(6), 2, 2)
    assert (inputs.tolist(), targets.tolist(), lengths.tolist()) == ([[2, 0]], [[3, IGNORED]], [1, 0])


def test_scoring_more_streams_than_tokens_leaves_some_empty():
    [(inputs, _, lengths)] = ScoringBatches(np.arange(3), 4, 5)
    assert (inputs.tolist(), lengths.tolist()) == ([[0, 1, 0, 0]], [1, 1, 0, 0])


@pytest.mark.parametrize("n", [2, 5, 21, 40])
def test_processes_that_share_a_scoring_get_equally_many_batches_of_equal_length(n):
    whole = ScoringBatches(np.arange(n), 4, 3)
    parts = [
        ScoringBatches(np.arange(n), 4, 3, first=first, count=count)
        for first, count in (share(4, rank, 2) for rank in range(2))
    ]
    for ours, *theirs in zip(whole, *parts, strict=True):
        for mine, *halves in zip(ours, *theirs, strict=True):
            assert torch.equal(mine, torch.cat(halves, dim=-1))


@pytest.mark.parametrize("n", [0, 1])
def test_scoring_needs_two_tokens(n):
    with pytest.raises(InputError) as error:
        ScoringBatches(np.arange(n), 2, 2, name="score.txt", unit="bytes")
    assert str(error.value) == (
        f"score.txt is too short: predicting the next needs at least 2 bytes, it has {n}; give more text"
    )
