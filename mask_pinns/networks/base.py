"""Functions for the constructors of networks: checks of sizes, and the initialization of the first layer."""

from __future__ import annotations

import math

import torch

from mask_pinns.jets import Linear
from mask_pinns.memory import require_memory

BYTES_PER_PARAMETER = 16
"""Approximate memory of the parameter, its gradient, and two moments of an optimizer."""
BYTES_PER_LAYER = 20_000
"""Approximate memory of a layer's modules, whatever its width."""


def check_sizes(width: int, blocks: int, inputs: int, input_layer: bool = True) -> None:
    """Raises ValueError for a width below one, blocks below zero, inputs that do not fit the blocks, or too many."""
    if width < 1:
        raise ValueError(f"width is {width}; a layer needs at least 1 unit")
    if blocks < 0:
        raise ValueError(f"blocks is {blocks}; it must be 0 or more")
    numbers = width * (inputs + 2 * blocks * width)
    require_memory(
        BYTES_PER_PARAMETER * numbers + BYTES_PER_LAYER * 2 * blocks,
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
def initialize_first_layer(first: Linear, scale: float, bias: float) -> None:
    """Sets the initial frequencies and phases of the first layer: weights times `scale`, biases within [-bias, bias].

    Raises ValueError for a scale of zero or below, a bias below zero, or one that is not finite.
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"first_scale is {scale}; it must be above 0 and finite")
    if not 0 <= bias < math.inf:
        raise ValueError(f"first_bias is {bias}; it must be 0 or more and finite")
    first.weight.mul_(scale)
    if bias:  # with zero, no random number is drawn
        first.bias.uniform_(-bias, bias)
