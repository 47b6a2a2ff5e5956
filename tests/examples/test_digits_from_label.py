"""The example draws what its labels say, and what it fits is a distribution."""

import itertools
import runpy
import sys
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits_from_label.py"


@pytest.fixture(scope="module")
def example() -> dict[str, object]:
    return runpy.run_path(str(EXAMPLE))


def test_the_chances_of_all_counts_add_up_to_one(example) -> None:
    counts, logits = torch.arange(17.0)[:, None], torch.tensor([-30.0, -1.0, 0.0, 2.5])
    assert torch.allclose(example["log_binomial"](counts, logits).exp().sum(0), torch.ones(4), atol=1e-5)


def test_what_is_drawn_is_as_likely_as_it_is_said_to_be(example) -> None:
    """The first row of many pictures: how often a pixel has its commonest count, drawn and computed."""
    model = example["DigitWriter"](hidden=8, mixture=3).eval()
    drawn = model.draw(torch.full((4000,), 3))
    weights, logits, _ = model.step(torch.zeros(1, 1, 8), model.begin(torch.tensor([3])))
    mean = (weights[0, 0].exp()[:, None] * logits[0, 0].sigmoid()).sum(0) * 16
    assert torch.allclose(drawn[:, 0].mean(0), mean, atol=0.4)
    assert set(itertools.chain.from_iterable(drawn.flatten(1).tolist())) <= set(map(float, range(17)))


@pytest.mark.slow
def test_the_label_decides_what_is_drawn(example, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["digits", "--out", str(tmp_path / "digits.png"), "--epochs", "12"])
    example["main"]()
    told = capsys.readouterr().out
    given, other, share = (
        float(told.split(after)[0].split()[-1]) for after in (" bits a pixel given", " given another", "%\n")
    )
    assert given < other - 0.5
    assert share > 70
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
