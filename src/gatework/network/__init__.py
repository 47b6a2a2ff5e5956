"""A trained network as a list of steps on named arrays: one description for the runtime, ONNX and C. It needs no torch.

`steps` has an operation a class; `stack` describes recurrent layers; `network` puts steps together, and is written as
JSON. Weights are named as in a checkpoint.
"""

from gatework.network.network import Network, Port
from gatework.network.stack import Stack, embedding_width, stack

__all__ = ["Network", "Port", "Stack", "embedding_width", "stack"]
