"""Encoder and decoder of pairs as ONNX, beside torch's modules."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_toys import RUNTIMES, recurrent_operators
from pair_models import OPTIONS, V_T, built, problem

import gatework as gw
from gatework.onnx.described import Described, arrays
from gatework.onnx.model import Options as Written
from gatework.onnx.model import model as written
from gatework.pairs.network import START, decoder_network, encoder_network
from gatework.runtime.hypotheses import carried

LEAST = 5e-6  # of float32 log probabilities beside torch's float32


def exported(network: Any, module: torch.nn.Module, *, stateful: bool, opset: int | None) -> Any:
    weights = arrays({name: value for name, value in module.state_dict().items() if name in network.weights})
    what = Described(network, weights, {}, stateful=stateful)
    return written(what, Written(stateful, lengths=False, resets=False, operators=True, opset=opset))


def outputs(runtime: str, model: Any, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in model.graph.output]
    wanted = {value.name for value in model.graph.input}
    found = RUNTIMES[runtime](model, {name: value for name, value in feeds.items() if name in wanted})
    return dict(zip(names, found, strict=True))


def check(options: Any, module: gw.EncoderDecoder, opset: int | None = None) -> None:
    source, lengths, targets = problem()
    with torch.no_grad():
        logits, shares = module.logits((torch.from_numpy(source), torch.from_numpy(lengths)), torch.from_numpy(targets))
    encoder = exported(encoder_network(options), module, stateful=False, opset=opset)
    network = decoder_network(options, V_T)
    decoder = exported(network, module, stateful=True, opset=opset)
    # onnx's evaluator knows no lengths of the operators LSTM and GRU, which the encoder has
    runtimes = ["onnxruntime"] if recurrent_operators(encoder) - {"Scan"} else list(RUNTIMES)
    for runtime in runtimes:
        encoded = outputs(runtime, encoder, {"source": source, "lengths": lengths})
        feeds = {name.removeprefix(START): value for name, value in encoded.items()} | {"lengths": lengths}
        feeds |= carried(network, encoded["memory"])
        tokens = np.concatenate([np.full((1, 3), V_T), targets[:-1]])
        found = []
        for step in tokens:  # one by one, each from the states after the one before
            feeds["tokens"] = step[None]
            made = outputs(runtime, decoder, feeds)
            feeds |= {name.removesuffix("_out"): value for name, value in made.items() if name.endswith("_out")}
            found.append(made)
        each = np.concatenate([made["log_p"] for made in found])
        np.testing.assert_allclose(each, logits.log_softmax(-1), atol=LEAST, err_msg=runtime)
        if shares is not None:
            each = np.concatenate([made["attention"] for made in found])
            np.testing.assert_allclose(each, shares, atol=LEAST, err_msg=runtime)


@pytest.mark.parametrize("opset", [None, 18])
@pytest.mark.parametrize("chosen", OPTIONS)
def test_encoder_and_decoder_are_those_of_torch(chosen: str, opset: int | None) -> None:
    check(*built(**OPTIONS[chosen]), opset)


@pytest.mark.parametrize("cell", ["gru", "peephole_lstm", "slstm", "mgu"])
def test_other_cells_are_those_of_torch(cell: str) -> None:
    check(*built(cell=cell, bidirectional=False))


def about(model: Any) -> dict[str, str]:
    return {each.key: each.value for each in model.metadata_props}


def greedy(encoder: Any, decoder: Any, word: str) -> str:
    """What onnxruntime alone writes for a word, symbol by symbol."""
    known = about(decoder)
    sources, targets, end = json.loads(known["sources"]), json.loads(known["targets"]), int(known["end"])
    source = np.array([[sources.index(letter)] for letter in word])
    encoded = outputs("onnxruntime", encoder, {"source": source, "lengths": np.array([len(word)])})
    feeds = {name.removeprefix(START): value for name, value in encoded.items()}
    feeds |= {"lengths": np.array([len(word)]), "tokens": np.array([[end]])}
    written = ""
    for _ in range(2 * len(word) + 10):
        made = outputs("onnxruntime", decoder, feeds)
        chosen = int(made["log_p"][0, 0].argmax())
        if chosen == end:
            break
        written += targets[chosen]
        feeds |= {name.removesuffix("_out"): value for name, value in made.items() if name.endswith("_out")}
        feeds["tokens"] = np.array([[chosen]])
    return written


WORDS = ["ab", "bca", "acb", "cab", "abcab", "ca", "b", "cbab", "bac", "a", "c", "acab"]
QUICK = {"hidden": 8, "layers": 1, "embedding": 6, "batch": 100, "learning_rate": 0.02, "steps": 60, "random_state": 0}


def test_a_run_becomes_an_encoder_and_a_decoder(tmp_path: Path) -> None:
    model = gw.Transducer(**QUICK, beams=1).fit(WORDS, [word.upper() for word in WORDS])
    model.save(tmp_path / "run")
    written = gw.onnx.export(tmp_path / "run", tmp_path / "words.onnx")
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["words.decoder.onnx", "words.encoder.onnx"]
    assert about(written["encoder"])["task"] == "pairs"
    said = [greedy(written["encoder"], written["decoder"], word) for word in WORDS]
    assert said == model.predict(WORDS).tolist()
    with pytest.raises(gw.InputError, match=r"^states=False .*: the decoder starts from the encoder's states"):
        gw.onnx.export(tmp_path / "run", tmp_path / "words.onnx", states=False)


@pytest.mark.parametrize("frames", [False, True])
def test_a_model_that_ctc_aligns_becomes_one_file(frames: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X: Any = [10 + 3 * rng.normal(size=(len(word) + 2, 2)) for word in WORDS] if frames else WORDS
    model = gw.Transducer(**QUICK, align="ctc").fit(X, [word.upper() for word in WORDS])
    written = gw.onnx.export(model, tmp_path / "words.onnx")
    known, one = about(written), X[4]
    source = one.astype(np.float32) if frames else np.array([json.loads(known["sources"]).index(k) for k in one])
    (found,) = RUNTIMES["onnxruntime"](written, {"source": source[:, None], "lengths": np.array([len(source)])})
    job, network = model.trained_.job, model.trained_.model
    read = torch.from_numpy(job.inputs.encode([one]))[:, None]
    with torch.no_grad():
        expected = network.log_probabilities((read if frames else read.long(), torch.tensor([len(source)])))
    np.testing.assert_allclose(found, expected, atol=LEAST)
    assert int(known["blank"]) == found.shape[-1] - 1
