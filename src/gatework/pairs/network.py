"""A model of pairs as networks: encoder and decoder, or layers whose steps CTC aligns. Without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatework.cells import Cell, find_cell
from gatework.network import Network, Port, Stack, embedding_width, stack
from gatework.network.steps import (
    ALL,
    LENGTHS,
    READ,
    READ_OUT,
    Bridge,
    CrossAttention,
    Embedding,
    Join,
    Linear,
    LogSoftmax,
    Step,
    Tanh,
)
from gatework.pairs.description import read
from gatework.pairs.options import Options
from gatework.runs.scaling import Scaling

SOURCE, TOKENS, MEMORY, SHARES, LOG_P = "source", "tokens", "memory", "attention", "log_p"
CONTEXT = "context"
CARRIED = {CONTEXT: "context_out", READ: READ_OUT}  # what goes in and comes out beside states
START = "start."  # before the name of a state of the decoder


def encoder_network(options: Options) -> Network:
    """source [S,B], lengths [B] -> memory [S,B,M], and where each state of the decoder starts, "start.h" [L,B,H].

    Weights are named as those of gw.EncoderDecoder.
    """
    layers, decoder = _encoder(options), _decoder(options)
    steps: list[Step] = [Embedding(SOURCE, "embedded", "source_embedding.weight")]
    *below, last = stack(layers, steps[-1].y, "encoder.")
    steps += [*below, replace(last, y=MEMORY)]
    memory, starts = Port(MEMORY, ("S", "B", _width(layers))), _bridge(layers, decoder)
    outputs = [Port(step.y, (step.layers, "B", step.size)) for step in starts]
    return Network(_source(Port(SOURCE, ("S", "B"), "int64")), (memory, *outputs), (*steps, *starts))


def decoder_network(options: Options, targets: int) -> Network:
    """tokens [T,B], memory [S,B,M], lengths [B] -> log p [T,B,V_t+1] of the symbol after each, attention [T,B,S].

    targets: V_t. Its states start where the encoder's network says. With attention "none" it reads tokens alone. Where
    a step reads what the one before it read of the memory, T is 1, and CARRIED says which arrays go in and come out.
    """
    layers, memory = _decoder(options), _width(_encoder(options))
    steps: list[Step] = [Embedding(TOKENS, "embedded", "target_embedding.weight")]
    if options.input_feeding:
        steps.append(Join(("embedded", CONTEXT), "fed"))
        layers = replace(layers, input_size=layers.input_size + memory)
    steps += stack(layers, steps[-1].y, "decoder_layers.", ALL)
    read, carried = steps[-1].y, _carried(options, memory)
    T = 1 if carried else "T"
    inputs, outputs = [Port(TOKENS, (T, "B"), "int64")], [Port(LOG_P, (T, "B", targets + 1))]
    if options.attention != "none":
        steps += [_attention(options, read), Join((read, CARRIED[CONTEXT]), "joined")]
        read = steps[-1].y
        inputs += [Port(MEMORY, ("S", "B", memory)), Port(LENGTHS, ("B",), "int64"), *carried]
        outputs += [Port(SHARES, (T, "B", "S")), *(replace(port, name=CARRIED[port.name]) for port in carried)]
    output = "target_embedding.weight" if options.tied else "output.weight"
    steps += [Linear(read, "readout", "readout.weight", "readout.bias"), Tanh("readout", "answer")]
    steps += [Linear("answer", "logits", output, "output.bias"), LogSoftmax("logits", LOG_P)]
    return Network(tuple(inputs), tuple(outputs), tuple(steps))


def _carried(options: Options, memory: int) -> list[Port]:
    """What a step reads of the one before it, beside the states; zeros before the first."""
    ports = []
    if options.input_feeding:
        ports.append(Port(CONTEXT, (1, "B", memory)))
    if options.coverage:
        ports.append(Port(READ, ("B", options.heads, "S")))
    return ports


def ctc_network(options: Options, targets: int, frames: int | None = None) -> Network:
    """source [S,B], or so many numbers a frame [S,B,I], and lengths [B] -> log p [S,B,V_t+1], the blank last.

    targets: V_t. Weights are named as those of gatework.pairs.ctc_model.CTCModel.
    """
    layers, steps = _encoder(options, frames), list[Step]()
    port = Port(SOURCE, ("S", "B"), "int64") if frames is None else Port(SOURCE, ("S", "B", frames))
    x = SOURCE
    if frames is None:
        steps.append(Embedding(SOURCE, "embedded", "embedding.weight"))
        x = "embedded"
    steps += stack(layers, x, "encoder.")
    steps += [Linear(steps[-1].y, "logits", "output.weight", "output.bias"), LogSoftmax("logits", LOG_P)]
    return Network(_source(port), (Port(LOG_P, ("S", "B", targets + 1)),), tuple(steps))


def network_of(path: Path, values: Mapping[str, Any]) -> Network:
    """What reads the sources of the run in a folder, from its run.json: the encoder, or all of a model of CTC."""
    job = read(path, values)
    if job.options.align == "attention":
        return encoder_network(job.options)
    width = job.inputs.width if isinstance(job.inputs, Scaling) else None
    return ctc_network(job.options, len(job.outputs), width)


def _source(port: Port) -> tuple[Port, ...]:
    return port, Port(LENGTHS, ("B",), "int64")


def _attention(options: Options, x: str) -> CrossAttention:
    names: dict[str, Any] = {}
    if options.attention != "dot":
        names["weight"] = "attention.W.weight"
    if options.attention == "additive":
        names |= {"key": "attention.U.weight", "bias": "attention.U.bias", "query": "attention.v"}
    if options.window is not None:
        names |= {
            "window": options.window,
            "place": _named(["attention.place."], "W_p.weight", "W_p.bias", "v_p.weight"),
        }
    if options.coverage:
        names["coverage"] = "attention.F.weight"
    assert options.attention != "none"
    return CrossAttention(x, MEMORY, CARRIED[CONTEXT], SHARES, options.attention, options.heads, **names)


def _bridge(encoder: Stack, decoder: Stack) -> list[Bridge]:
    """Where each state of the decoder starts: as `gatework.layers.bridge.Bridge`."""
    program, state = decoder.program(), encoder.program().states[0].name
    sizes = program.bind(decoder.input_size, decoder.hidden_size, decoder.proj_size)
    maps = [f"bridge.maps.{layer}." for layer in range(decoder.num_layers)]
    made, first = [], 0
    for each in program.states:
        known: dict[str, Any] = {"start": each.start}
        size = sizes[each.size]
        if abs(each.start) != float("inf"):
            known |= {"weights": _named(maps, "weight"), "biases": _named(maps, "bias"), "first": first}
            first += size
        made.append(Bridge(state, START + each.name, len(encoder.places), len(maps), size, **known))
    return made


def _named(places: Sequence[str], *names: str) -> tuple[str, ...]:
    return tuple(place + name for place in places for name in names)


def _encoder(options: Options, frames: int | None = None) -> Stack:
    """The layers that read the source, of frames that many numbers: both directions together have `hidden` units."""
    assert options.hidden is not None
    each = -(-options.hidden // (1 + options.bidirectional))
    layers = _layers(options, find_cell(options.cell), each, bidirectional=options.bidirectional)
    return layers if frames is None else replace(layers, input_size=frames)


def _decoder(options: Options) -> Stack:
    assert options.hidden is not None
    return _layers(options, find_cell(options.cell), options.hidden, bidirectional=False)


def _layers(options: Options, cell: Cell, hidden: int, *, bidirectional: bool) -> Stack:
    assert options.hidden is not None
    assert options.layers is not None
    chosen = dict(options.recurrent or {})
    proj_size = chosen.get("proj_size", 0)
    return Stack(
        cell,
        options.embedding or embedding_width(cell, options.hidden, hidden, proj_size),
        hidden,
        options.layers,
        bidirectional=bidirectional,
        proj_size=proj_size,
        residual=chosen.get("residual", False),
        zoneout=chosen.get("zoneout") or {},
        learned=chosen.get("initial") == "learned",
    )


def _width(layers: Stack) -> int:
    """D*H, or D*R, the width of what layers give."""
    program = layers.program()
    sizes = program.bind(layers.input_size, layers.hidden_size, layers.proj_size)
    return len(layers.places) * sizes[program.output_size]
