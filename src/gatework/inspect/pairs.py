"""The payload of a page on a model of pairs: both networks, sources to look at, what attention does with them.

Keys: gatework, kind "pairs", title; model (see `model_json`); symbols (of source and target: level, symbols, unknown);
search (beams, normalisation); examples (source, its accepted targets); results; check (sources and targets by number,
log p of each target symbol and attention in Python); findings.
"""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatework import __version__
from gatework.cells import find_cell
from gatework.errors import InputError
from gatework.files.writing import read_json
from gatework.inspect.figures import rounded
from gatework.inspect.model import Weights, layers_json, steps_json, stored
from gatework.layers import EncoderDecoder
from gatework.layers.description import tensors_of
from gatework.network import Network
from gatework.pairs.answers import Candidate, check_form
from gatework.pairs.converter import Search
from gatework.pairs.data.encoded import Encoded
from gatework.pairs.data.examples import Examples, read_examples
from gatework.pairs.data.symbols import Symbols, join
from gatework.pairs.description import Described
from gatework.pairs.metrics import PairReport
from gatework.pairs.network import CARRIED, LOG_P, MEMORY, decoder_network, encoder_network
from gatework.pairs.options import Options
from gatework.pairs.run import Run
from gatework.pairs.trained import Trained
from gatework.runs.folder import RESULTS
from gatework.runs.progress import PartProgress
from gatework.training.checkpoint import load_checkpoint
from gatework.training.progress import LAST

LOOKED_AT, SHOWN, CHECKED = 500, 60, 3  # sources that are converted, that the page lists, that it checks itself by

Payload = dict[str, Any]


def collect_pairs(path: Path, file: str | None, title: str, progress: PartProgress) -> tuple[Payload, Weights]:
    """Looks at sources with a run's model: those of a file of pairs, or the run's held-out ones."""
    run = Run.open(path)
    model = run.model()
    if not isinstance(model, EncoderDecoder):
        raise InputError(
            f"{path} was trained with --align ctc, and pages are for encoders and decoders: "
            f"gatework convert {path} SOURCE --attention alignment.svg draws which step each symbol stands at"
        )
    encoder, decoder = encoder_network(run.job.options), decoder_network(run.job.options, len(run.job.outputs))
    weights = tensors_of(model, encoder) | tensors_of(model, decoder)
    with torch.no_grad():  # as the page will hold them
        for parameter in model.parameters():
            parameter.copy_(parameter.to(stored(weights)))
    examples = _examples(run, file)
    trained, search = Trained(run.job, model), Search.of(run.job)
    found = trained.convert(examples, search, lambda done, total: progress("converting", done, total))
    best = [each[0] for each in found]
    return {
        "gatework": __version__,
        "kind": "pairs",
        "untrained": False,
        "title": title,
        "model": model_json(run.job.options, encoder, decoder, weights),
        "symbols": {"source": _symbols_json(run.job.inputs), "target": _symbols_json(run.job.outputs)},
        "search": {"beams": search.beams, "normalisation": search.length_normalisation, "longest": search.longest},
        "examples": _examples_json(run.job, examples.take(np.arange(min(SHOWN, len(examples))))),
        "text": None,
        "results": _results(run, model),
        "check": _check(run.job, model, examples.take(np.arange(min(CHECKED, len(examples))))),
        "findings": findings(examples, best),
    }, weights


def _examples(run: Run, file: str | None) -> Examples:
    """Sources, with their targets where they have some."""
    if file is not None:
        examples = read_examples(file, run.job.levels)
        check_form(examples, run.job)
        return examples.take(np.arange(min(LOOKED_AT, len(examples))))
    parts = run.parts()
    held_out = parts.test if len(parts.test) else parts.validation if len(parts.validation) else parts.training
    return _decoded(run.job, held_out.take(np.arange(min(LOOKED_AT, len(held_out)))))


def _decoded(job: Described, encoded: Encoded) -> Examples:
    """The pairs that were prepared for training, as they were before."""
    assert isinstance(job.inputs, Symbols)
    sources = [job.inputs.texts(ids) for ids in np.split(encoded.source, encoded.source_starts[1:-1])]
    every = [
        tuple(job.outputs.symbols[k] if k >= 0 else "\ufffd" for k in ids)
        for ids in np.split(encoded.target, encoded.target_starts[1:-1])
    ]
    of = encoded.targets_of.tolist()
    targets = [tuple(every[first:last]) for first, last in pairwise(of)]
    return Examples("symbols", job.levels, sources, targets, [f"source {k + 1}" for k in range(len(sources))])


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


def _symbols_json(symbols: Any) -> Payload:
    return {"level": symbols.level, "symbols": list(symbols.symbols), "unknown": symbols.unknown}


def _examples_json(job: Described, examples: Examples) -> list[Payload]:
    """Sources as people wrote them, with the targets that are accepted."""
    targets = examples.targets or [()] * len(examples)
    return [
        {
            "source": join(source, job.levels.source),
            "targets": [join(target, job.levels.target) for target in accepted],
        }
        for source, accepted in zip(examples.sources, targets, strict=True)
    ]


def _results(run: Run, model: EncoderDecoder) -> Payload:
    """What is known of the training and of how it ended."""
    told: Payload = {}
    with suppress(InputError):  # a run that was stopped has none
        told = read_json(run.path / RESULTS).get("test") or {}
    progress = load_checkpoint(run.path / LAST).progress
    figures = {name: told[name] for name in ("exact", "symbol_error_rate", "sources") if name in told}
    return figures | {
        "steps": progress.step,
        "minutes": round(progress.elapsed / 60, 2),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _check(job: Described, model: EncoderDecoder, examples: Examples) -> list[Payload]:
    """What Python makes of a few sources and their targets, or of what it writes for them; in float64 as the page."""
    model, made = model.double(), []
    with torch.no_grad():
        for ids, symbols in _numbered(job, model, examples):
            source = ids[:, None], torch.tensor([len(ids)])
            targets = torch.tensor([*symbols, model.end])[:, None]
            logits, shares = model.logits(source, targets)
            log_p = logits.log_softmax(-1).gather(-1, targets[..., None])[:, 0, 0]
            shown = None if shares is None else [rounded(row) for row in shares[:, 0]]
            made.append({"source": ids.tolist(), "target": symbols, "log_p": rounded(log_p), "attention": shown})
    model.float()
    return made


def _numbered(job: Described, model: EncoderDecoder, examples: Examples) -> list[tuple[Tensor, list[int]]]:
    """Sources by number, and for each the best target that the model writes."""
    found = Trained(job, model).convert(examples, Search(beams=1))
    encoded = Encoded.of(examples, job.inputs, job.outputs)
    sources = np.split(encoded.source, encoded.source_starts[1:-1])
    numbers = job.outputs.numbers
    return [
        (torch.from_numpy(ids.astype(np.int64)), [numbers[symbol] for symbol in each[0].symbols])
        for ids, each in zip(sources, found, strict=True)
    ]


# -- in plain sentences


def findings(examples: Examples, best: list[Candidate]) -> list[str]:
    """How many targets are right, what is confused, and how attention goes over the source."""
    said = []
    if examples.targets is not None:
        report = PairReport.of([each.symbols for each in best], examples.targets)
        said.append(f"{report.exact:.0%} of {len(best):,} sources become one of the targets that are accepted for them")
        if report.confused:
            wrong = (
                f"{found or 'nothing'} for {wanted or 'nothing'} ({n})" for wanted, found, n in report.confused[:5]
            )
            said.append(f"Most often wrong: {', '.join(wrong)}")
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
