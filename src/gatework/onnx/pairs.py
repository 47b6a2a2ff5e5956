"""Runs of pairs as networks: an encoder and a decoder, or the one whose steps CTC aligns."""

import json
from collections.abc import Mapping

from gatework.cells import find_cell
from gatework.layers.description import tensors_of
from gatework.network import Network
from gatework.onnx.described import Described, about, arrays
from gatework.pairs.description import Described as Job
from gatework.pairs.estimator import Transducer
from gatework.pairs.network import CARRIED, ctc_network, decoder_network, encoder_network
from gatework.runs.scaling import Scaling

ENCODER, DECODER = "encoder", "decoder"


def pairs(model: Transducer) -> Mapping[str, Described]:
    """The files of a model of pairs, by what stands before their ending.

    encoder: source [S,B], lengths [B] -> memory [S,B,M], start.h [L,B,H], ... decoder: tokens [T,B], memory, lengths,
    h, ... -> log_p [T,B,V+1], attention [T,B,S], h_out, ... Of a model that CTC aligns one: source -> log_p [S,B,V+1].
    """
    job = model.trained_.job
    known: dict[str, str] = {
        "level": job.levels.source,
        "target_level": job.levels.target,
        "targets": _json(job.outputs.symbols),
    }
    scaling = job.inputs if isinstance(job.inputs, Scaling) else None
    if not isinstance(job.inputs, Scaling):
        known["sources"] = _json(job.inputs.symbols)
    if job.options.align == "ctc":
        network = ctc_network(job.options, len(job.outputs), None if scaling is None else scaling.width)
        return {"": _described(model, job, network, known | {"blank": str(len(job.outputs))}, scaling)}
    known["end"] = str(len(job.outputs))
    decoder = decoder_network(job.options, len(job.outputs))
    carried = {port.name: CARRIED[port.name] for port in decoder.inputs if port.name in CARRIED}
    return {
        ENCODER: _described(model, job, encoder_network(job.options), known),
        DECODER: _described(
            model, job, decoder, known | ({"carried": _json(carried)} if carried else {}), stateful=True
        ),
    }


def _described(
    model: Transducer,
    job: Job,
    network: Network,
    known: dict[str, str],
    scaling: Scaling | None = None,
    stateful: bool = False,
) -> Described:
    return Described(
        network,
        arrays(tensors_of(model.trained_.model, network)),
        about("pairs", find_cell(job.options.cell)) | known,
        stateful=stateful,
        scaling=scaling,
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
