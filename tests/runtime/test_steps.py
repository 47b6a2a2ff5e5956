"""Every step of a network on numpy's arrays gives what torch's modules give: models of labels have all of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatework.labels.model import Ensemble, SequenceModel
from gatework.labels.network import sequence_network
from gatework.labels.options import Options
from gatework.labels.plan import Plan
from gatework.network import Network, Port
from gatework.network.steps import (
    STEPS,
    Add,
    Affine,
    Bridge,
    CrossAttention,
    Embedding,
    Join,
    Layer,
    LogSoftmax,
    OneHot,
    Part,
    Quantiles,
    Softmax,
    Tanh,
)
from gatework.runtime import Model, Session
from gatework.runtime.code import compiled
from gatework.runtime.steps import Call, runner

PLANS: dict[str, dict[str, Any]] = {
    "last": {"summary": "last"},
    "both directions": {"summary": "last+mean+max"},
    "attention": {"summary": "attention"},
    "front": {"summary": "mean", "stages": 2},
    "branch": {"summary": "last", "branch": "fcn"},
    "all": {"summary": "max+attention", "stages": 1, "branch": "fcn", "members": 3},
}
LENGTHS = {"equal": [9, 9, 9, 9], "unequal": [9, 4, 1, 7]}


def built(plan: dict[str, Any], kind: str, sizes: tuple[int, ...] = (5,)) -> tuple[Any, Session]:
    """A model of labels with random weights and statistics, and a session of it."""
    torch.manual_seed(0)
    options = Options(cell="gru", hidden=6, bidirectional="last+mean+max" in plan["summary"])
    chosen = Plan(**{**vars(Plan.plain(options)), **plan})
    members = [SequenceModel(options, 3, sizes, tokens=False, kind=kind, plan=chosen) for _ in range(chosen.members)]
    model = (members[0] if len(members) == 1 else Ensemble(members)).eval()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if name.endswith("running_var") else torch.randn_like(value) * 0.5)
    network = sequence_network(options, 3, sizes, tokens=False, kind=kind, plan=chosen)
    weights = {name: value.numpy() for name, value in model.state_dict().items() if value.is_floating_point()}
    return model, Session(Model(Path("labels"), "labels", network, weights, {}))


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kind", ["class", "number", "tag"])
@pytest.mark.parametrize("plan", PLANS)
def test_models_of_labels_are_those_of_torch(plan: str, kind: str, lengths: str) -> None:
    model, session = built(PLANS[plan], kind)
    ends = np.array(LENGTHS[lengths])
    x = torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model.scores((x, torch.from_numpy(ends))).numpy()
    found, _ = session.run(x.numpy(), lengths=ends)
    if kind == "tag":
        expected, found = ([array[:end, b] for b, end in enumerate(ends)] for array in (expected, found))
        expected, found = np.concatenate(expected), np.concatenate(found)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 5, 3), (1, 1)])
@pytest.mark.parametrize("plan", ["last", "all"])
def test_several_targets_are_those_of_torch(plan: str, sizes: tuple[int, ...]) -> None:
    model, session = built(PLANS[plan], "number" if sizes == (1, 1) else "class", sizes)
    x = torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model.scores((x, torch.tensor([9, 4, 1, 7]))).numpy()
    found, _ = session.run(x.numpy(), lengths=[9, 4, 1, 7])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_softmax_of_parts_is_one_of_each() -> None:
    x = torch.randn(3, 2, 6)
    for sizes in ((2, 2, 2), (1, 3, 2), (6,)):
        call = Call({"x": x.numpy()}, None, {})
        for step, expected in ((Softmax, torch.softmax), (LogSoftmax, torch.log_softmax)):
            parts = torch.cat([expected(part, -1) for part in x.split(sizes, -1)], -1)
            np.testing.assert_allclose(runner(step("x", "y", sizes), {})(call), parts, rtol=1e-6)


@pytest.mark.parametrize("step", [Part("x", "y", 1, 4, 2), Softmax("x", "y", (3, 1)), LogSoftmax("x", "y", (2, 2))])
def test_what_the_core_does_not_step_by_itself_is_run_step_by_step(step: Any) -> None:
    ports = Port("x", ("T", "B", 4)), Port("y", ("T", "B", 2 if isinstance(step, Part) else 4))
    network = Network(ports[:1], ports[1:], (step,))
    assert compiled(network, {}) is None and Network.from_json(json.loads(json.dumps(network.to_json()))) == network
    session, x = Session(Model(Path("steps"), "layer", network, {}, {})), np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(session.step(x), session.run(x[None])[0][0])


def test_steps_without_weights() -> None:
    x = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    call = Call({"x": x, "z": 2 * x, "ids": np.array([[2, 0]])}, None, {})
    np.testing.assert_array_equal(runner(Affine("x", "y", 2.0, 1.0), {})(call), 2 * x + 1)
    np.testing.assert_array_equal(runner(Join(("x", "z"), "y"), {})(call), np.concatenate([x, 2 * x], -1))
    np.testing.assert_array_equal(runner(Part("z", "y", 1, 2), {})(call), 2 * x[:, 1:2])
    np.testing.assert_array_equal(runner(Part("x", "y", 0, 2, 2), {})(call), x[:, :1])
    np.testing.assert_allclose(runner(Softmax("x", "y"), {})(call), torch.softmax(torch.from_numpy(x), -1), rtol=1e-6)
    np.testing.assert_array_equal(runner(OneHot("ids", "y", 3), {})(call), [[[0, 0, 1], [1, 0, 0]]])
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(runner(Embedding("ids", "y", "t"), {"t": table})(call), [[[4, 5], [0, 1]]])


def test_large_scores_do_not_overflow() -> None:
    x = np.array([[1e30, -1e30, 1e30]], np.float32)
    call = Call({"x": x}, None, {})
    np.testing.assert_allclose(runner(Softmax("x", "y"), {})(call), [[0.5, 0.0, 0.5]])


def test_every_step_is_run_by_one_of_these() -> None:
    seen = {type(step) for plan in PLANS.values() for step in built(plan, "class")[1].network.steps}
    elsewhere = {Add, Bridge, CrossAttention, Quantiles, Tanh}  # residual layers, pairs, forecasts: by their tests
    assert seen | elsewhere | {Affine, Embedding, Join, Layer, OneHot, Part, Softmax} >= set(STEPS)
