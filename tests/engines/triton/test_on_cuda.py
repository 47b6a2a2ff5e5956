"""On a GPU: what the kernels make of the tiny problem that a first use asks. (`gatework verify` has every cell.)"""

import pytest
import torch

from gatework.engines import triton
from gatework.engines.triton import trust

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_this_device_is_trusted(dtype: torch.dtype):
    device = torch.device("cuda", torch.cuda.current_device())
    assert trust.disagreement(triton.run_untried, device, dtype) < trust.MOST[dtype] / 2


def test_a_kind_of_device_has_a_name_a_driver_and_versions():
    kind = trust.Kind.of(torch.device("cuda"), torch.float32)
    assert torch.cuda.get_device_name() in kind.device and kind.driver and "triton" in kind.versions
