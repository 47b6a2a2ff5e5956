"""gatework: recurrent cells written as equations, run as fused kernels."""
