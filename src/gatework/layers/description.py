"""A layer as its description without torch, for what runs it elsewhere."""

from torch import Tensor, nn

from gatework.layers.recurrent import Recurrent
from gatework.network import Network, Port, Stack, stack


def stack_of(layer: Recurrent) -> Stack:
    """What a layer is beside its weights."""
    return Stack(
        layer.cell,
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bidirectional=layer.bidirectional,
        proj_size=layer.proj_size,
        residual=layer.residual,
        zoneout=layer.zoneout,
        learned=layer.initial == "learned",
    )


def network_of(layer: Recurrent) -> Network:
    """x [T,B,I] -> output [T,B,D*H], by weights as `weights_of` names them."""
    steps = tuple(stack(stack_of(layer), "x"))
    x = Port("x", ("T", "B", layer.input_size))
    return Network((x,), (Port(steps[-1].y, ("T", "B", layer.output_size)),), steps)


def tensors_of(module: nn.Module, network: Network) -> dict[str, Tensor]:
    """What a network reads of the module that it describes, by its names for them; detached."""
    return {name: tensor.detach() for name, tensor in module.state_dict().items() if name in network.weights}


def weights_of(layer: Recurrent) -> dict[str, Tensor]:
    """The weights as they are in a call, what pruning and parametrisations make of them; detached."""
    made: dict[str, Tensor] = {}
    for number in range(layer.num_layers):
        for direction in layer.directions:
            place = f"l{number}{direction}"
            own: dict[str, Tensor] = layer.weights(number, direction)(dict)
            made |= {f"{place}.{name}": tensor.detach() for name, tensor in own.items()}
    return made
