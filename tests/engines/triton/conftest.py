"""Kernels are interpreted in the process that tests them; Triton asks for it as it is imported."""

import os

os.environ["TRITON_INTERPRET"] = "1"
