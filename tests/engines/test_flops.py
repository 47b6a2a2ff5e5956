"""FlopCounterMode counts of a scan what it counts of the reference engine's products."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import gatework as gw
from gatework.cells import cells

CASES = {
    "all": {},
    "x needs none": {"x": False},
    "frozen": {"frozen": ("U_",)},
    "only x": {"frozen": ("",)},
    "masks": {"zoneout": 0.1},
    "inference": {"train": False},
}


def layer_of(cell: str, engine: str, **options) -> gw.Recurrent:
    program = cells[cell].program
    if "R" in program.sizes:
        options["proj_size"] = 3
    return gw.Recurrent(cell, 6 if program.tied else 4, 6, 2, engine=engine, **options)


def counted(layer: gw.Recurrent, x: bool = True, train: bool = True, frozen: tuple[str, ...] = ()) -> tuple[int, int]:
    """Operations forward, and together with the backward pass; gradients reach the state before the first step."""
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(train and not name.split(".")[1].startswith(frozen or ("?",)))
    given = torch.randn(5, 3, layer.input_size, requires_grad=x and train)
    sizes = [layer.sizes[0][state.size] for state in layer.program.states]
    state = tuple(torch.zeros(2, 3, size, requires_grad=train) for size in sizes)
    with FlopCounterMode(display=False) as counter:
        output = layer(given, state)[0]
        forward = counter.get_total_flops()
        if train:
            output.sum().backward()
    return forward, counter.get_total_flops()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cell", cells)
def test_the_operations_are_those_of_the_reference_engine(cell, case):
    options = dict(CASES[case])
    masks = {"zoneout": {cells[cell].program.output: options.pop("zoneout")}} if "zoneout" in options else {}
    if masks and cells[cell].program.output not in {state.name for state in cells[cell].program.states}:
        masks = {}
    layers = [layer_of(cell, engine, **masks) for engine in ("native", "reference")]
    ours, reference = (counted(layer, **options) for layer in layers)
    assert ours == reference and ours[0] > 0


def test_a_gradient_costs_its_way_through_a_product_to_a_matrix_behind_it():
    cell = gw.Cell("deep", "z = tanh(W @ x)\nh = tanh(U @ z + V @ h)")
    ours, reference = (
        counted(gw.Recurrent(cell, 4, 6, 2, engine=engine), x=False) for engine in ("native", "reference")
    )
    assert ours == reference


@pytest.mark.parametrize("cell", ["lstm", "gru", "rhn_3"])
def test_recomputing_costs_the_forward_pass_once_more(cell):
    forward, whole = counted(layer_of(cell, "native"))
    assert counted(layer_of(cell, "native", recompute=True)) == (forward, whole + forward)


def test_a_compiled_layer_counts_alike():
    layer, x = gw.LSTM(4, 6), torch.randn(5, 3, 4)
    torch._dynamo.reset()
    layer.compile(backend="aot_eager")
    with FlopCounterMode(display=False) as counter:
        layer(x)
    assert counter.get_total_flops() == 2 * 5 * 3 * 4 * 6 * (4 + 6)
