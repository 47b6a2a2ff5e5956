"""How a decoder runs over a target: all steps at once, or one by one where each reads the context of the last."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gatework.layers.attention import Attention
from gatework.layers.bridge import Encoded
from gatework.layers.one_hot import Run
from gatework.layers.recurrent import Recurrent


@dataclass(frozen=True)
class Parts:
    """What a decoder is made of: from ids to what its layers read, from their output and the context to logits.

    run: the layers on ids, as they are during a call; without input feeding.
    """

    embedding: nn.Embedding
    layers: Recurrent
    run: Run
    attention: Attention | None
    readout: nn.Linear
    output: nn.Linear
    input_feeding: bool
    dropout: Callable[[Tensor], Tensor]

    def embed(self, tokens: Tensor) -> Tensor:
        """[...,E] of ids [...]."""
        return self.dropout(self.embedding(tokens))

    def read(self, output: Tensor, context: Tensor | None) -> Tensor:
        """What the output layer reads, [...,width]."""
        value = output if context is None else torch.cat([output, context], -1)
        return self.dropout(torch.tanh(self.readout(value)))

    def logits(self, read: Tensor) -> Tensor:
        """[...,V_t+1]."""
        made: Tensor = self.output(read)
        return made


class Decoded(NamedTuple):
    """The layers' output at each step [T,B,H], and with attention the context [T,B,M] and its weights [T,B,S]."""

    output: Tensor
    context: Tensor | None
    weights: Tensor | None


def at_once(parts: Parts, inputs: Tensor, encoded: Encoded, sampled: float, weights: bool) -> Decoded:
    """All steps of inputs [T,B] in one scan, attention after it.

    sampled: so often the likeliest symbol after the step before, by a pass over the inputs as they are, is read in
    place of an input (Mihaylova & Martins 2019). weights: whether those of the attention are wanted.
    """
    if sampled:
        with torch.no_grad():
            first = at_once(parts, inputs, encoded, 0.0, weights=False)
            logits = parts.logits(parts.read(first.output, first.context))
        inputs = torch.cat([inputs[:1], mixed(inputs[1:], logits[:-1], sampled)])
    output, _ = parts.run(inputs, encoded.state)
    if parts.attention is None:
        return Decoded(output, None, None)
    if not weights:
        return Decoded(output, parts.attention.context(output, encoded.memory, encoded.lengths), None)
    return Decoded(output, *parts.attention(output, encoded.memory, encoded.lengths))


def step_by_step(parts: Parts, inputs: Tensor, encoded: Encoded, sampled: float) -> Decoded:
    """One step of inputs [T,B] after the other, each of which reads the context before it too; the first one zeros.

    sampled: so often the likeliest symbol after the step before is read in place of an input (Bengio et al. 2015).
    """
    assert parts.attention is not None
    memory, state = parts.attention.ready(encoded.memory, encoded.lengths), encoded.state
    context, before = inputs.new_zeros(inputs.shape[1], parts.attention.memory_size, dtype=encoded.memory.dtype), None
    each: list[tuple[Tensor, Tensor, Tensor]] = []
    for tokens in inputs:
        now = mixed(tokens, parts.logits(parts.read(*each[-1][:2])), sampled) if sampled and each else tokens
        output, state = parts.layers(torch.cat([parts.embed(now), context], -1)[None], state)
        (context,), weights = parts.attention.read(output, memory, before)
        before = weights if before is None else before + weights
        each.append((output[0], context, weights[:, :, 0].mean(1)))
    return Decoded(*map(torch.stack, zip(*each, strict=True)))


def mixed(inputs: Tensor, logits: Tensor, share: float) -> Tensor:
    """Inputs [...], so often the likeliest symbol by logits [...,V] in their place."""
    drawn = torch.rand(inputs.shape, device=inputs.device) < share
    return torch.where(drawn, logits.detach().argmax(-1), inputs)
