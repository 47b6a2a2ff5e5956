"""The payload of a page on a model that CTC aligns: its layers, sources to look at, what it says at each step of them.

Keys: gatework, kind "ctc", title, form ("symbols" or "frames"); model (see `model_json`); symbols (of target, and of
source or None: level, symbols, unknown); search (beams); examples (source, its accepted targets, and where it is frames
these as the network reads them); results; check (sources as they are read, and what Python makes of each: a symbol and
its log p at each step, the best target, its log p and where its symbols stand); findings.
"""

from typing import Any

import numpy as np
import torch

from gatework import __version__
from gatework.cells import find_cell
from gatework.decoding.ctc import align, log_likelihoods, prefix_beam
from gatework.errors import InputError
from gatework.inspect.figures import rounded
from gatework.inspect.model import Weights, layers_json, steps_json
from gatework.inspect.sources import (
    CHECKED,
    SHOWN,
    Payload,
    Sources,
    as_stored,
    frames_json,
    results_json,
    right_and_wrong,
    symbols_json,
)
from gatework.layers.description import tensors_of
from gatework.network import Network
from gatework.pairs.answers import Candidate
from gatework.pairs.converter import Search
from gatework.pairs.ctc_model import CTCModel
from gatework.pairs.data.encoded import Whole
from gatework.pairs.data.examples import Examples
from gatework.pairs.data.symbols import Symbols
from gatework.pairs.network import ctc_network
from gatework.pairs.options import Options
from gatework.pairs.run import Run
from gatework.runs.progress import PartProgress

LONGEST, MOST = 2_000, 100_000  # steps of a source that the page lists; numbers of all these together


def collect_ctc(
    run: Run, model: CTCModel, file: str | None, title: str, progress: PartProgress
) -> tuple[Payload, Weights]:
    """Looks at sources with a run's model: those of a file of pairs, or the run's held-out ones."""
    job, sources = run.job, Sources.of(run, file)
    width = sources.encoded.source.shape[1] if job.form == "frames" else None
    network = ctc_network(job.options, len(job.outputs), width)
    weights = tensors_of(model, network)
    as_stored(model, weights)
    search, shown = Search.of(job), _shown(sources)
    found = sources.converted(model, search, lambda done, total: progress("converting", done, total))
    return {
        "gatework": __version__,
        "kind": "ctc",
        "untrained": False,
        "title": title,
        "form": job.form,
        "model": model_json(job.options, network, weights, model.blank),
        "symbols": {
            "source": symbols_json(job.inputs) if isinstance(job.inputs, Symbols) else None,
            "target": symbols_json(job.outputs),
        },
        "search": {"beams": search.beams},
        "examples": _with_frames(shown),
        "text": None,
        "results": results_json(run, model),
        "check": _check(model, shown.first(CHECKED)),
        "findings": findings(sources.examples, [each[0] for each in found]),
    }, weights


def model_json(options: Options, network: Network, weights: Weights, blank: int) -> Payload:
    """The network, as the page runs it."""
    steps = steps_json(network, weights)
    return {"cell": layers_json(find_cell(options.cell), network, weights), "network": steps, "blank": blank}


def _shown(sources: Sources) -> Sources:
    """The first sources that are short enough for a page, until these are as many numbers as it should hold."""
    lengths = sources.encoded.source_lengths
    numbers = np.flatnonzero(lengths <= LONGEST)[:SHOWN]
    if not len(numbers):
        raise InputError(
            f"each of the {len(lengths):,} sources has more than {LONGEST:,} steps, and a page shows no longer ones: "
            "name a file that has some"
        )
    if sources.job.form == "symbols":
        return sources.take(numbers)
    total = np.cumsum(lengths[numbers]) * sources.encoded.source.shape[1]
    return sources.take(numbers[: max(1, int((total <= MOST).sum()))])


def _with_frames(sources: Sources) -> list[Payload]:
    """The sources, with the frames that are read of them."""
    listed = sources.to_json()
    if sources.job.form == "symbols":
        return listed
    return [each | {"frames": frames_json(read)} for each, read in zip(listed, sources.read, strict=True)]


def _check(model: CTCModel, sources: Sources) -> list[Payload]:
    """What Python makes of a few sources; in float64 as the page."""
    model, made = model.double(), []
    for each in sources.read:
        read = frames_json(each) if sources.job.form == "frames" else each.tolist()
        source = torch.tensor(read, dtype=torch.float64 if sources.job.form == "frames" else torch.int64)[:, None]
        with torch.no_grad():
            scores = model.log_probabilities((source, torch.tensor([len(read)])))
        made.append({"source": read} | _of_scores(scores.numpy(), model.blank))
    model.float()
    return made


def _of_scores(scores: Any, blank: int) -> Payload:
    """The likeliest path of [S,1,V+1], the best target by the search, and where its symbols stand."""
    best = prefix_beam(scores, blank)[0][0].tokens
    path: Whole = scores[:, 0].argmax(-1)
    return {
        "path": path.tolist(),
        "log_p": rounded(torch.from_numpy(scores[:, 0].max(-1))),
        "target": list(best),
        "log_probability": float(f"{log_likelihoods(scores, [best], blank)[0]:.7g}"),
        "spans": align(scores, [best], blank)[0].tolist(),
    }


def findings(examples: Examples, best: list[Candidate]) -> list[str]:
    """How many targets are right, what is confused, and how many steps their symbols stand for."""
    said = right_and_wrong(examples, best)
    weights = [each.attention for each in best if each.attention is not None and len(each.attention)]
    if weights:
        steps = float(np.mean(np.concatenate([each.sum(1) for each in weights])))
        covered = sum(float(each.sum()) for each in weights) / sum(each.shape[1] for each in weights)
        said.append(
            f"On the likeliest path of its target a symbol stands for {steps:.1f} steps of the source, in the mean, "
            f"and the blank for {1 - covered:.0%} of all steps"
        )
    return said
