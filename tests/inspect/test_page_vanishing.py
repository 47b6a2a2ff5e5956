"""The third lesson: gradients over a hundred steps, measured by the page, are those of autograd."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import Seen, harness, tensors
from torch import Tensor
from torch.func import functional_call

import gatework as gw
from gatework.files.tensors import read_tensors
from gatework.inspect.lessons import SHIPPED, layer_of, lessons
from gatework.inspect.model import adjoint_json, layers_json
from gatework.layers.description import network_of, tensors_of
from numerics import compare, randomise

Show = Callable[..., Seen]

CELLS = ("rnn", "gru", "lstm")
TWICE = gw.Cell("twice", "h = tanh(W_h @ x + U_h @ tanh(U_h @ h) + b_h)")  # one matrix in two places
BEYOND, SETTINGS = (
    50,
    [(1.0, 4.0), (1.3, -1.0), (0.6, 1.0)],
)  # (scale of recurrent matrices, bias of the gate that keeps)
KEEPS = {"gru": "z", "lstm": "f", "layer_norm_lstm": "f"}
FLOWS = """
const tensor = (name) => ({ ...given.tensors[name], data: Float32Array.from(given.tensors[name].data) });
const at = ([scale, bias]) => measuredFlow({ model: given.model, tensor }, noise, { scale, bias, beyond });
const found = settings.map(at);
window.found = JSON.stringify({ recurrent: recurrentMatrices(given.model.layers[0].directions[0].program), found });
"""


def shipped(cell: str) -> gw.Recurrent:
    file = read_tensors(SHIPPED)
    return layer_of(file, cell, json.loads(file.metadata[cell]))


def noise() -> dict[str, Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in read_tensors(SHIPPED).part("noise").items()}


def flows(show: Show, path: Path, layer: gw.Recurrent) -> dict[str, Any]:
    """What the page measures at each of the settings."""
    network = network_of(layer)
    model = layers_json(layer.cell, network, tensors_of(layer, network)) | {"embedding": None, "head": None}
    model["adjoints"] = [adjoint_json(network.layers[0].directions[0].program)]
    values = {name: value.tolist() for name, value in noise().items()}
    given = {"model": model, "tensors": tensors(layer)}
    seen = show(harness(path, "lessons.js", FLOWS, given=given, noise=values, settings=SETTINGS, beyond=BEYOND))
    seen.page.wait_for_function("window.found")
    assert not seen.complaints
    return json.loads(seen.page.evaluate("window.found"))


def length(parts: Any) -> float:
    return math.sqrt(sum(part.square().sum().item() for part in parts if part is not None))


def lengths(*many: Any) -> Tensor:
    return torch.tensor([length(parts) for parts in many], dtype=torch.float64)


def by_torch(layer: gw.Recurrent, scale: float, bias: float) -> dict[str, Tensor]:
    """The same by autograd; every step has weights of its own, so that what it adds to their gradient stands apart."""
    x, loss = (noise()[name].double() for name in ("x", "loss"))
    weights = {name: value.detach().double().clone() for name, value in layer.named_parameters()}
    weights = {name: value * scale if name.startswith("l0.U") else value for name, value in weights.items()}
    if layer.cell.name in KEEPS:
        weights[f"l0.b_{KEEPS[layer.cell.name]}"].fill_(bias)
    state = layer.double()(x[:1, None])[1]
    state = type(state)(*(torch.zeros_like(value) for value in state))
    states, steps = [], []
    for row in x:
        for value in state:
            value.requires_grad_() if value.is_leaf else value.retain_grad()
        states.append(state)
        steps.append({name: value.clone().requires_grad_() for name, value in weights.items()})
        output, state = functional_call(layer, steps[-1], (row[None, None], state))
    (output[0, 0] @ loss).backward()
    sizes = lengths(*([value.grad for value in each] for each in reversed(states)))
    added = [[value.grad for value in each.values()] for each in reversed(steps)]
    whole, far = ([torch.stack(of).sum(0) for of in zip(*some, strict=True)] for some in (added, added[BEYOND:]))
    expected = {"flow": sizes / sizes[0], "added": lengths(*added), "whole": lengths(whole), "far": lengths(far)}
    if layer.cell.name in {"gru", "lstm"}:
        gates = [kept(weights, KEEPS[layer.cell.name], row, each.h[0, 0]) for row, each in zip(x, states, strict=True)]
        shares = torch.stack([torch.ones(len(loss)), *reversed(gates[:-1])]).cumprod(0)
        sizes = lengths(*([share * states[-1][-1].grad] for share in shares))
        expected |= {"along": sizes / sizes[0], "kept": torch.stack(gates).mean()[None]}
    return expected | {"size": lengths(weights.values())}


def kept(weights: dict[str, Tensor], gate: str, x: Tensor, h: Tensor) -> Tensor:
    """sigmoid(W x + U h + b), [H]."""
    W, U, b = (weights[f"l0.{kind}_{gate}"] for kind in "WUb")
    return (W @ x + U @ h + b).sigmoid().detach()


@pytest.mark.parametrize("cell", [*CELLS, "layer_norm_lstm", TWICE], ids=lambda cell: getattr(cell, "name", cell))
def test_gradients_by_states_and_weights_are_those_of_autograd(show: Show, tmp_path: Path, cell: str | gw.Cell) -> None:
    torch.manual_seed(4)
    layer = shipped(cell) if cell in CELLS else randomise(gw.Recurrent(cell, 4, 16), 0.25)
    measured = flows(show, tmp_path / "page.html", layer)
    assert {f"l0.{name}" for name in measured["recurrent"]} == {
        name for name, _ in layer.named_parameters() if name.startswith("l0.U")
    }
    for (scale, bias), found in zip(SETTINGS, measured["found"], strict=True):
        for name, expected in by_torch(layer, scale, bias).items():
            ratio = torch.tensor(found[name], dtype=torch.float64).flatten() / expected
            compare(ratio, torch.ones_like(ratio), rms=1e-8, peak=1e-8, what=f"{name} at {scale}, {bias}")


@pytest.fixture
def opened(show: Show, tmp_path: Path) -> Iterator[Any]:
    """The lessons; nothing is asked for and nothing complained of."""
    path = lessons().write(tmp_path / "lessons.html")
    seen = show(path)
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    yield seen.page
    assert not seen.complaints
    assert seen.requests == [path.as_uri()]


def digits(text: str) -> list[float]:
    """The numbers of a text, 2.9e−9 among them."""
    return [float(each) for each in re.findall(r"\d[\d.]*(?:e-?\d+)?", text.replace("−", "-").replace(",", ""))]


def rows_of(page: Any) -> dict[str, list[float]]:
    """The table of updates: of each network length, length clipped, part from far back, length of the weights."""
    rows = page.locator("#lesson-vanishing tbody tr").all()
    cells = [row.locator("td").all_text_contents() for row in rows]
    return {name: [number for each in rest for number in digits(each)] for name, *rest in cells}


def test_the_numbers_in_words_are_those_of_autograd(opened: Any) -> None:
    said = opened.locator("#vanishing-said").text_content().split(" gradient ")
    table = rows_of(opened)
    for cell, text in zip(CELLS, said[1:], strict=True):
        expected = by_torch(shipped(cell), 1.0, 4.0)
        left, update = expected["flow"][100].item(), 0.1 * expected["whole"].item()
        assert digits(text)[1:3] == pytest.approx([left, left**0.01], rel=0.02), cell
        part, size = (expected["far"] / expected["whole"]).item(), expected["size"].item()
        assert table[cell.upper()] == pytest.approx([update, min(update, 0.1), part, size], rel=0.01), cell
    assert "it vanishes" in said[1]


def test_a_larger_recurrent_matrix_makes_the_gradient_of_the_rnn_explode_and_clipping_bounds_it(opened: Any) -> None:
    opened.locator("#lesson-scale").focus()
    opened.keyboard.press("End")
    opened.locator("#vanishing-said", has_text="it explodes").wait_for()
    clipping = opened.locator("#clipping-said")
    assert clipping.text_content().startswith("Clipping is off. It would shorten")
    before = opened.locator("#lesson-vanishing svg").all()[-1].get_attribute("aria-label")
    opened.locator("#lesson-clips").focus()
    opened.keyboard.press("Space")
    assert clipping.text_content().startswith("Clipping is on. It shortens")
    after = opened.locator("#lesson-vanishing svg").all()[-1].get_attribute("aria-label")
    length, clipped, *_ = rows_of(opened)["RNN"]
    assert (length > 1000, clipped) == (True, 0.1)
    shrunk = [b / a for a, b in zip(digits(before)[:2], digits(after)[:2], strict=True)]
    assert shrunk == pytest.approx([0.1 / length] * 2, rel=0.1)


def test_the_factor_is_a_power_and_the_bias_opens_the_path_of_the_lstm(opened: Any) -> None:
    assert opened.locator("#power-said").text_content() == "0.90^100 = 0.0000266."
    opened.locator("#lesson-factor").focus()
    opened.keyboard.press("End")
    assert digits(opened.locator("#power-said").text_content())[-1] == pytest.approx(1.2**100, rel=0.05)
    why = opened.locator("#vanishing-why")
    assert digits(why.text_content())[:1] == pytest.approx([0.979])
    opened.locator("#lesson-keeping-bias").focus()
    opened.keyboard.press("Home")
    opened.locator("#vanishing-why", has_text="with a bias of −2.0").wait_for()
    assert digits(why.text_content())[0] < 0.2
