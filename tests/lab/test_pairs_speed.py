"""The measurement of pairs, made small: it runs, and what it compares is alike."""

import torch

from gatework.lab import pairs_speed
from gatework.lab.torch_pairs import TorchPairs


def test_it_prints_a_line_for_each_side(monkeypatch, capsys):
    for name, small in {"PAIRS": 6, "BATCHES": 2, "WORDS": 5, "BEAMS": 2, "STEPS": 2, "SEARCHES": 1}.items():
        monkeypatch.setattr(pairs_speed, name, small)
    pairs_speed.main()
    printed = capsys.readouterr().out
    for side in ("a training step on 6 pairs", "nn.LSTM, packed", "nn.LSTM, padded", "by word", "all words at once"):
        assert side in printed
    assert printed.count("gw.EncoderDecoder") == 2


def test_words_are_as_pairs_are_given():
    (letters, lengths), targets = pairs_speed.batch_of(50)
    assert letters.shape == (int(lengths.max()), 50) and ((lengths >= 2) & (lengths <= pairs_speed.LONGEST)).all()
    ends = (targets == pairs_speed.PHONEMES).sum(0)
    assert (ends == 1).all() and targets[-1].max() == pairs_speed.PHONEMES
    assert ((targets >= 0).int().diff(dim=0) <= 0).all()


def test_the_padded_rival_is_the_packed_one_where_nothing_is_padded():
    torch.manual_seed(0)
    packed, padded = TorchPairs(9, 7, 8), pairs_speed.Padded(9, 7, 8)
    padded.load_state_dict(packed.state_dict())
    source, targets = (torch.randint(9, (5, 4)), torch.full((4,), 5)), torch.randint(7, (3, 4))
    torch.testing.assert_close(padded(source, targets), packed(source, targets))
