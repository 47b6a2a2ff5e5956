"""The payload of a page on a model of pairs: both networks, sources to look at, what attention does with them.

Keys: gatework, kind "pairs", title; model (see `model_json`); symbols (of source and target: level, symbols, unknown);
search (beams, normalisation); examples (source, its accepted targets); results; check (sources and targets by number,
log p of each target symbol and attention in Python); findings.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework import __version__
from gatework.cells import find_cell
from gatework.inspect.ctc import collect_ctc
from gatework.inspect.figures import rounded
from gatework.inspect.model import Weights, layers_json, steps_json
from gatework.inspect.sources import (
    CHECKED,
    SHOWN,
    Payload,
    Sources,
    as_stored,
    results_json,
    right_and_wrong,
    symbols_json,
)
from gatework.layers import EncoderDecoder
from gatework.layers.description import tensors_of
from gatework.network import Network
from gatework.pairs.answers import Candidate
from gatework.pairs.converter import Search
from gatework.pairs.data.examples import Examples
from gatework.pairs.data.symbols import Symbols
from gatework.pairs.description import Described
from gatework.pairs.network import CARRIED, LOG_P, MEMORY, decoder_network, encoder_network
from gatework.pairs.options import Options
from gatework.pairs.run import Run
from gatework.runs.progress import PartProgress


def collect_pairs(path: Path, file: str | None, title: str, progress: PartProgress) -> tuple[Payload, Weights]:
    """Looks at sources with a run's model: those of a file of pairs, or the run's held-out ones.

    Of a model that CTC aligns the payload is another: see `ctc.py`.
    """
    run = Run.open(path)
    model = run.model()
    if not isinstance(model, EncoderDecoder):
        return collect_ctc(run, model, file, title, progress)
    encoder, decoder = encoder_network(run.job.options), decoder_network(run.job.options, len(run.job.outputs))
    weights = tensors_of(model, encoder) | tensors_of(model, decoder)
    as_stored(model, weights)
    sources, search = Sources.of(run, file), Search.of(run.job)
    found = sources.converted(model, search, lambda done, total: progress("converting", done, total))
    return {
        "gatework": __version__,
        "kind": "pairs",
        "untrained": False,
        "title": title,
        "model": model_json(run.job.options, encoder, decoder, weights),
        "symbols": _both_symbols(run.job),
        "search": {"beams": search.beams, "normalisation": search.length_normalisation, "longest": search.longest},
        "examples": sources.first(SHOWN).to_json(),
        "text": None,
        "results": results_json(run, model),
        "check": _check(model, sources.first(CHECKED)),
        "findings": findings(sources.examples, [each[0] for each in found]),
    }, weights


def _both_symbols(job: Described) -> Payload:
    assert isinstance(job.inputs, Symbols)
    return {"source": symbols_json(job.inputs), "target": symbols_json(job.outputs)}


def model_json(options: Options, encoder: Network, decoder: Network, weights: Weights) -> Payload:
    """Both networks, as the page runs them."""
    widths = {port.name: int(port.shape[-1]) for port in (*encoder.outputs, decoder.outputs[0])}
    return {
        "cell": layers_json(find_cell(options.cell), decoder, weights),
        "encoder": steps_json(encoder, weights),
        "decoder": steps_json(decoder, weights),
        "decoder_states": list(decoder.states),
        "carried": {port.name: CARRIED[port.name] for port in decoder.inputs if port.name in CARRIED},
        "attention": options.attention,
        "memory": widths[MEMORY],
        "heads": options.heads,
        "end": widths[LOG_P] - 1,
    }


def _check(model: EncoderDecoder, sources: Sources) -> list[Payload]:
    """What Python makes of a few sources and their targets, or of what it writes for them; in float64 as the page."""
    model, made = model.double(), []
    with torch.no_grad():
        for ids, symbols in _numbered(model, sources):
            source = ids[:, None], torch.tensor([len(ids)])
            targets = torch.tensor([*symbols, model.end])[:, None]
            logits, shares = model.logits(source, targets)
            log_p = logits.log_softmax(-1).gather(-1, targets[..., None])[:, 0, 0]
            shown = None if shares is None else [rounded(row) for row in shares[:, 0]]
            made.append({"source": ids.tolist(), "target": symbols, "log_p": rounded(log_p), "attention": shown})
    model.float()
    return made


def _numbered(model: EncoderDecoder, sources: Sources) -> list[tuple[Tensor, list[int]]]:
    """Sources by number, and for each the best target that the model writes."""
    numbers, found = sources.job.outputs.numbers, sources.converted(model, Search(beams=1))
    return [
        (torch.from_numpy(ids.astype(np.int64)), [numbers[symbol] for symbol in each[0].symbols])
        for ids, each in zip(sources.read, found, strict=True)
    ]


# -- in plain sentences


def findings(examples: Examples, best: list[Candidate]) -> list[str]:
    """How many targets are right, what is confused, and how attention goes over the source."""
    said = right_and_wrong(examples, best)
    weights = [each.attention for each in best if each.attention is not None and len(each.attention) > 1]
    if weights:
        said += attention_findings(weights)
    return said


def attention_findings(weights: list[Any]) -> list[str]:
    """How sharp attention [T,S] is, and whether it goes from left to right."""
    sharp = float(np.mean(np.concatenate([each.max(1) for each in weights])))
    moves = np.concatenate([np.diff(each.argmax(1)) for each in weights])
    onwards, stays = float((moves > 0).mean()), float((moves == 0).mean())
    return [
        f"A target symbol takes {sharp:.0%} of what it reads from one step of the source, in the mean",
        f"From one target symbol to the next attention moves on in {onwards:.0%} of cases, stays in {stays:.0%}, "
        f"and goes back in {1 - onwards - stays:.0%}",
    ]
