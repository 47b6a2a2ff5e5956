"""The network of a model of labels reads the weights of its checkpoint; what it computes is held in tests/onnx."""

from typing import Any

import pytest

from gatework.labels.model import Ensemble, SequenceModel
from gatework.labels.network import sequence_network
from gatework.labels.options import Options
from gatework.labels.plan import Plan
from gatework.network import Network

SHAPES: dict[str, tuple[dict[str, Any], Plan]] = {
    "plain": ({}, Plan()),
    "both directions, learned starts": ({"bidirectional": True, "recurrent": {"initial": "learned"}}, Plan()),
    "attention": ({"layers": 2}, Plan(summary="attention+max")),
    "convolutions": ({}, Plan(stages=2, branch="fcn")),
    "members": ({"recurrent": {"proj_size": 2}}, Plan(members=3, branch="fcn")),
}


@pytest.mark.parametrize("kind", ["class", "tag", "number"])
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("sizes", [(2,), (2, 3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_reads_all_weights_of_the_model_and_no_others(
    shape: str, sizes: tuple[int, ...], tokens: bool, kind: Any
) -> None:
    chosen, plan = SHAPES[shape]
    options = Options(hidden=4, embedding=3, **chosen)
    network = sequence_network(options, 5, sizes, tokens=tokens, kind=kind, plan=plan)
    members = [SequenceModel(options, 5, sizes, tokens=tokens, kind=kind, plan=plan) for _ in range(plan.members)]
    model = members[0] if plan.members == 1 else Ensemble(members)
    counted = {name for name in model.state_dict() if name.endswith("num_batches_tracked")}
    assert network.weights == set(model.state_dict()) - counted
    assert Network.from_json(network.to_json()) == network
