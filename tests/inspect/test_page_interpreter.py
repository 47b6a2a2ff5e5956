"""The interpreter in the page computes what the layers compute, for every cell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from page_toys import Seen, harness, tensors
from torch import Tensor

import gatework as gw
from gatework.inspect.model import layers_json
from gatework.layers.description import network_of, tensors_of

T, V, E, H = 500, 11, 6, 6

RUN = """
const tensor = (name) => ({ ...given.tensors[name], data: Float32Array.from(given.tensors[name].data) });
const network = new Network({ kind: "text", model: given.model }, tensor);
let state = network.start();
const steps = ids.map((id) => {
  const step = network.step(network.embed(id), state);
  state = step.state;
  const cell = network.cells[1];
  const values = Object.fromEntries(cell.program.named.map(([name]) => [name, [...cell.value(name)]]));
  return { output: [...step.output], state: state.map((layer) => layer.map((row) => [...row])), values,
           p: [...network.logProbabilities(step.output)] };
});
window.found = JSON.stringify(steps);
"""


class Model(torch.nn.Module):
    """A small language model: embedding, two layers with a residual where widths allow, softmax."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(V, E)
        self.recurrent = gw.Recurrent(cell, E, H, 2, **options)
        self.head = torch.nn.Linear(self.recurrent.output_size, V)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Any]:
        output, state = self.recurrent(self.embedding(ids)[:, None])
        return output[:, 0], self.head(output)[:, 0].log_softmax(-1), state


def carried(model: Model) -> dict[str, Any]:
    network = network_of(model.recurrent)
    described = layers_json(model.recurrent.cell, network, tensors_of(model.recurrent, network))
    named = {name.removeprefix("recurrent."): value for name, value in tensors(model).items()}
    described |= {"embedding": "embedding.weight", "head": {"weight": "head.weight", "bias": "head.bias"}}
    return {"model": described, "tensors": named}


def options_of(cell: str) -> dict[str, Any]:
    return {"proj_size": H} if "R" in gw.cells[cell].program.sizes else {}


def close(found: Any, wanted: Tensor, what: str) -> None:
    found = torch.tensor(found, dtype=torch.float64)
    assert found.shape == wanted.shape, what
    assert (found - wanted).abs().max() < 1e-4, what


def compare(show: Callable[..., Seen], path: Path, model: Model) -> None:
    ids = torch.randint(V, (T,), generator=torch.Generator().manual_seed(3))
    seen = show(harness(path, "network.js", RUN, given=carried(model), ids=ids.tolist()))
    seen.page.wait_for_function("window.found")
    found = json.loads(seen.page.evaluate("window.found"))
    model = model.double()  # the page computes so; in float32 the rounding of some cells grows to 1e-4 within 500 steps
    names = model.recurrent.program.names
    with torch.no_grad(), gw.record(model.recurrent, *names) as trace:
        output, p, state = model(ids)
    close([step["output"] for step in found], output, "h")
    close([step["p"] for step in found], p, "log p")
    for name in names:
        close([step["values"][name] for step in found], trace[f"l1.{name}"][:, 0], name)
    for index, name in enumerate(model.recurrent.state_names):
        close([layer[index] for layer in found[-1]["state"]], state[index][:, 0], f"last {name}")
    assert not seen.complaints


@pytest.mark.parametrize("cell", list(gw.cells))
def test_the_page_computes_what_a_layer_computes(show: Callable[..., Seen], tmp_path: Path, cell: str) -> None:
    compare(show, tmp_path / "page.html", Model(cell, **options_of(cell)))


@pytest.mark.parametrize("options", [{"zoneout": {"c": 0.2}}, {"residual": True}, {"initial": "learned"}], ids=str)
def test_the_page_computes_what_a_layer_with_options_computes(
    show: Callable[..., Seen], tmp_path: Path, options: dict[str, Any]
) -> None:
    model = Model("lstm", **options).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "initial" in name:
                parameter.normal_()
    compare(show, tmp_path / "page.html", model)
