"""What moved a prediction: the page's numbers are those of autograd, and of the model run on other inputs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import Seen, Toy, toy
from torch import Tensor

from gatework.verify.comparison import compare

Show = Callable[..., Seen]
BACK = 60  # steps that the page looks at


def log_p(subject: Toy, x: Tensor, target: int) -> Tensor:
    """log2 p(target) after inputs [T,B,I] of the recurrent layers, [B]."""
    output, _ = subject.model.recurrent(x)
    logits: Tensor = subject.model.output(output[-1])
    return logits.log_softmax(-1)[:, target] / math.log(2)


def by_torch(subject: Toy, first: int, t: int, target: int) -> dict[str, Tensor]:
    """Gradient times input by autograd, leave-one-out by running the model with each input changed."""
    subject.model.double()
    every = subject.model._embedded(subject.ids[:, None]).detach()
    x = every[: t + 1].clone().requires_grad_()
    (g,) = torch.autograd.grad(log_p(subject, x, target)[0], x)
    x = x.detach()
    changed = x.repeat(1, t + 1 - first, 1)
    for column, k in enumerate(range(first, t + 1)):
        changed[k, column] = every.mean(0)
    with torch.no_grad():
        out = log_p(subject, x, target) - log_p(subject, changed, target)
    return {"gradient": (g * x).sum(-1)[first:, 0].detach(), "out": out}


@pytest.mark.parametrize("cell", ["rnn", "gru", "on_lstm", "slstm", "cornn", "layer_norm_lstm"])
def test_both_measures_are_those_of_torch(show: Show, tmp_path: Path, cell: str) -> None:
    same(show, tmp_path / "page.html", toy(cell, layers=2))


@pytest.mark.parametrize("options", [{"residual": True, "layers": 3}, {"embedding": None}, {"projection": 5}], ids=str)
def test_both_measures_are_those_of_torch_whatever_the_shape(
    show: Show, tmp_path: Path, options: dict[str, Any]
) -> None:
    same(show, tmp_path / "page.html", toy("projected_lstm" if "projection" in options else "lstm", **options))


def same(show: Show, path: Path, subject: Toy) -> None:
    t = 75
    seen = show(subject.page(path), f"#t={t}")
    wanted = by_torch(subject, t + 1 - BACK, t, int(subject.ids[t + 1]))
    for measure, values in wanted.items():
        compare(influences(seen, measure), values, rms=1e-4, peak=1e-4, what=measure)
    assert not seen.complaints


def influences(seen: Seen, measure: str) -> Tensor:
    """What the strip shows of a measure, once it is computed."""
    seen.page.check(f"#why-{measure}")
    seen.page.wait_for_selector("#why-text span[data-bits]")
    found = seen.page.eval_on_selector_all("#why-text span", "all => all.map(each => Number(each.dataset.bits))")
    return torch.tensor(found, dtype=torch.float64)


def test_the_strongest_are_listed_and_lead_to_their_place(show: Show, tmp_path: Path) -> None:
    seen = show(toy().page(tmp_path / "page.html"), "#t=75")
    values = influences(seen, "gradient")
    listed = seen.page.eval_on_selector_all("#why-list button", "all => all.map(each => Number(each.dataset.t))")
    assert listed == [76 - BACK + int(k) for k in values.abs().argsort(descending=True)[:8]]
    seen.page.locator("#why-list button").nth(2).press("Enter")
    assert seen.page.evaluate("gatework.view.get('t')") == listed[2]


def test_the_prediction_is_said_and_arrows_move_its_place(show: Show, tmp_path: Path) -> None:
    subject = toy()
    seen = show(subject.page(tmp_path / "page.html"), "#t=75")
    influences(seen, "out")
    with torch.no_grad():
        surprise = -float(log_p(subject, subject.model._embedded(subject.ids[:76, None]), int(subject.ids[76]))[0])
    said = seen.page.inner_text("#why-asked")
    assert f"gave “{subject.payload['text']['pieces'][76]}”, which came next" in said
    assert f"{surprise:.2f} bits of surprise" in said
    assert "go together by a correlation of" in seen.page.inner_text("#why-apart")
    seen.page.focus("#why-text")
    seen.page.keyboard.press("ArrowRight")
    assert seen.page.evaluate("gatework.view.get('t')") == 76
    seen.page.keyboard.press("End")
    assert ", the likeliest, " in seen.page.inner_text("#why-asked")
