"""The networks of pairs in the page compute what torch computes, and its search finds what ours finds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_toys import Seen, harness
from pair_models import OPTIONS, V_T, built, problem

import gatework as gw
from gatework.inspect.pairs import model_json
from gatework.layers.description import tensors_of
from gatework.pairs.network import decoder_network, encoder_network

RUN = """
const tensor = (name) => ({ ...given.tensors[name], data: Float32Array.from(given.tensors[name].data) });
const model = new Translation(given.model, tensor);
const plain = (shares) => [...(shares ?? [])];
window.found = JSON.stringify(sources.map((ids, k) => {
  const { encoded, found } = model.search(ids, 4, 3, 1);
  const forced = model.followedThrough(encoded, targets[k]);
  return {
    forced: forced.map(({ logP, shares }) => ({ logP, shares: plain(shares) })),
    found: found.map(({ tokens, score }) => ({ tokens, score })),
  };
}));
"""


def carried(options: Any, module: gw.EncoderDecoder) -> dict[str, Any]:
    encoder, decoder = encoder_network(options), decoder_network(options, V_T)
    weights = tensors_of(module, encoder) | tensors_of(module, decoder)
    listed = {name: {"shape": list(value.shape), "data": value.flatten().tolist()} for name, value in weights.items()}
    return {"model": model_json(options, encoder, decoder, weights), "tensors": listed}


@pytest.mark.parametrize("chosen", OPTIONS)
def test_targets_are_those_of_torch(chosen: str, show: Callable[..., Seen], tmp_path: Path) -> None:
    compare(*built(**OPTIONS[chosen]), show, tmp_path / "page.html")


@pytest.mark.parametrize("cell", ["gru", "slstm", "mgu", "on_lstm"])
def test_targets_of_other_cells_are_those_of_torch(cell: str, show: Callable[..., Seen], tmp_path: Path) -> None:
    compare(*built(cell=cell, layers=2), show, tmp_path / "page.html")


def compare(options: Any, module: gw.EncoderDecoder, show: Callable[..., Seen], path: Path) -> None:
    source, lengths, targets = problem()
    given = carried(options, module)
    module = module.double()
    each = [column[:length].tolist() for column, length in zip(source.T, lengths, strict=True)]
    seen = show(harness(path, "translation.js", RUN, given=given, sources=each, targets=targets.T.tolist()))
    assert not seen.complaints
    seen.page.wait_for_function("window.found")
    found = json.loads(seen.page.evaluate("window.found"))
    for ids, target, result in zip(each, targets.T, found, strict=True):
        one = torch.tensor(ids)[:, None], torch.tensor([len(ids)])
        wanted = [*target.tolist(), V_T]
        with torch.no_grad():
            logits, shares = module.logits(one, torch.tensor(wanted)[:, None])
            best = module.search(one, beams=4, best=3)[0]
        log_p = logits.log_softmax(-1)[range(len(wanted)), 0, wanted]
        np.testing.assert_allclose([step["logP"] for step in result["forced"]], log_p, atol=1e-5)
        if shares is not None:
            np.testing.assert_allclose([step["shares"] for step in result["forced"]], shares[:, 0], atol=1e-5)
        assert [tuple(each["tokens"]) for each in result["found"]] == [each.tokens for each in best]
        scores = [each["score"] for each in result["found"]]
        np.testing.assert_allclose(scores, [each.score for each in best], atol=1e-5)
