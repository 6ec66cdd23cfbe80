"""What all networks on jets share: how they are called, and the names under which their layers are watched.

`network(x)` on a plain tensor (N, D) gives a plain tensor (N, F); `network(jet)` gives a jet.
"""

from __future__ import annotations

import math
from typing import overload

import torch
from torch import Tensor, nn

from mask_pinns.jet import Jet
from mask_pinns.layers import Activation, Linear
from mask_pinns.optim.memory import require_memory

TRAINED = 16  # bytes for each parameter, about: itself, its gradient, two moments
LAYER = 20_000  # bytes of a layer's modules, whatever its width


class JetNetwork(nn.Module):
    """A network whose `layers(jet)` maps a jet to a jet; called on a tensor, it carries no derivatives."""

    def layers(self, jet: Jet) -> Jet:
        raise NotImplementedError("a JetNetwork defines layers(jet) -> jet")

    @overload
    def __call__(self, x: Jet) -> Jet: ...
    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    def __call__(self, x: Jet | Tensor) -> Jet | Tensor:
        return super().__call__(x)

    def forward(self, x: Jet | Tensor) -> Jet | Tensor:
        return self.layers(x) if isinstance(x, Jet) else self.layers(Jet.constant(x)).value

    def hidden(self) -> dict[str, Activation]:
        """The activations in the order in which features pass them, by readable names."""
        return {name: m for name, m in self.named_modules() if isinstance(m, Activation)}

    def block_outputs(self) -> dict[str, nn.Module]:
        """The modules whose outputs are those of blocks of several layers, by readable names."""
        return {}


def check_sizes(width: int, blocks: int, inputs: int, input_layer: bool = True) -> None:
    """Raises ValueError for a width below one, blocks below zero, inputs that do not fit the blocks, or too many."""
    if width < 1:
        raise ValueError(f"width is {width}; a layer needs at least 1 unit")
    if blocks < 0:
        raise ValueError(f"blocks is {blocks}; it must be 0 or more")
    numbers = width * (inputs + 2 * blocks * width)
    require_memory(
        TRAINED * numbers + LAYER * 2 * blocks,
        torch.device("cpu"),
        f"a network of width {width:,} with {blocks:,} blocks and {inputs:,} inputs",
        "take a smaller one",
    )
    if not input_layer and inputs != width:
        raise ValueError(
            f"without its input layer the network takes as many inputs as its width, {width}; it gets {inputs}: "
            f"embed them, e.g. --fourier {max(1, width // 2)}"
        )


@torch.no_grad()
def begin(first: Linear, scale: float, bias: float) -> None:
    """The first layer's frequencies and phases at the start: weights times `scale`, biases within [-bias, bias].

    Raises ValueError for a scale of zero or below, a bias below zero, or one that is not finite.
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"first_scale is {scale}; it must be above 0 and finite")
    if not 0 <= bias < math.inf:
        raise ValueError(f"first_bias is {bias}; it must be 0 or more and finite")
    first.weight.mul_(scale)
    if bias:  # else no random number is drawn
        first.bias.uniform_(-bias, bias)
