"""On a GPU: the same values, gradients, masks and records as on the CPU. (`gatework verify` runs all cells there.)"""

import pytest
import torch

import gatework as gw
from gatework.cells import cells
from gatework.errors import InputError
from gatework.verify.check import BOUNDS, targets, verify
from numerics import all_same, gradients, random, weighed
from recurrents import flat, made

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("cell", cells.values(), ids=lambda cell: cell.name)
def test_every_cell_passes_on_the_gpu(cell):
    on = [target for target in targets() if target.device == "cuda"]
    results = list(verify([cell], on))
    assert [result for result in results if result.failed] == []
    assert len(results) > 1 and all(result.errors.within(BOUNDS[result.dtype]) for result in results)


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm", "layer_norm_lstm"])
def test_a_layer_gives_the_same_there(cell):
    layer = made(cell, 4, 5, 2, bidirectional=True)
    x, lengths = random(6, 3, 4), [6, 0, 4]
    resets = torch.zeros(6, 3, dtype=torch.bool)
    resets[2, 0] = True
    wanted = flat(layer(x, lengths=lengths, resets=resets))
    by = gradients(layer, weighed(wanted[0]))
    found = flat(layer.cuda()(x.cuda(), lengths=lengths, resets=resets.cuda()))
    assert all(value.is_cuda for value in found)
    all_same(tuple(value.cpu() for value in found), wanted)
    all_same({name: value.cpu() for name, value in gradients(layer, weighed(found[0].cpu())).items()}, by)


def test_what_is_elsewhere_is_refused():
    layer = gw.LSTM(4, 5).cuda()
    with pytest.raises(InputError, match=r"x is on cpu, the layer on cuda:0; move one with"):
        layer(torch.zeros(3, 2, 4))


def test_masks_records_and_conversion_stay_there():
    layer = gw.convert(torch.nn.LSTM(4, 5, 2, device="cuda"), zoneout={"c": 0.1}, recurrent_dropout={"g": 0.1})
    with gw.record(layer, "f", gradients=True) as trace:
        layer(torch.randn(3, 2, 4, device="cuda"))[0].sum().backward()
    assert trace["l0.f"].is_cuda and trace.gradients["l1.f"].is_cuda
