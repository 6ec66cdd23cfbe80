"""Networks from coordinates to fields, made of layers that act on jets.

`network(x)` on a plain tensor (N, D) gives a plain tensor (N, F); `network(jet)` gives a jet.
NETWORKS names them: `masked` as published (arXiv 2505.06331), `residual` its unmasked twin, `mlp` the plain
multilayer perceptron of the same depth and width.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor, nn

from mask_pinns.jet import Jet
from mask_pinns.layers import Activation, Linear, Masked
from mask_pinns.registry import check_options, lookup, split_spec


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


class FeedForward(JetNetwork):
    """A masked (or plain) input layer, `blocks` blocks of two such layers, a linear output.

    With `skip`, an identity leads around both layers of each block. Hidden layers: 1 + 2 blocks.
    Parameters: with width H, D inputs, F outputs, and k = 2 with the mask, 1 without,
    H (D + k) + 2 blocks H (H + k) + F (H + 1).

    Args:
        inputs: number of coordinates D.
        outputs: number of fields F.
        width: units per hidden layer H.
        blocks: number of two-layer blocks.
        activation: a key of ACTIVATIONS.
        mask: multiply each activation by the learnable mask.
        mask_init: alpha at the start (1 as published, 20 for Helmholtz).
        skip: identity around each block.
        input_layer: begin with an input layer; without it the inputs go straight into the blocks (an embedding makes
            as many of them as `width`).
        first_scale: factor on the first layer's initial weights; above one for solutions of high frequency.
        first_bias: the first layer's biases start uniform in [-first_bias, first_bias] (0 as published). With pi, the
            phases of sine units are spread: without, an odd activation makes an odd function of the coordinates.

    Raises:
        ValueError: width below one, blocks below zero, an unknown activation, inputs that do not fit the blocks,
            first_scale zero or below, first_bias below zero.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 64,
        blocks: int = 3,
        activation: str = "gelu",
        mask: bool = True,
        mask_init: float = 1.0,
        skip: bool = True,
        input_layer: bool = True,
        first_scale: float = 1.0,
        first_bias: float = 0.0,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width is {width}; a layer needs at least 1 unit")
        if blocks < 0:
            raise ValueError(f"blocks is {blocks}; it must be 0 or more")
        if not input_layer and inputs != width:
            raise ValueError(
                f"without its input layer the network takes as many inputs as its width, {width}; it gets {inputs}: "
                f"embed them, e.g. --fourier {max(1, width // 2)}"
            )
        if not first_scale > 0:
            raise ValueError(f"first_scale is {first_scale}; it must be above 0")
        if not first_bias >= 0:
            raise ValueError(f"first_bias is {first_bias}; it must be 0 or more")
        layer = partial(Masked, activation=activation, mask=mask, mask_init=mask_init)
        self.skip = skip
        self.input = layer(inputs, width) if input_layer else nn.Identity()
        self.blocks = nn.ModuleList(nn.Sequential(layer(width, width), layer(width, width)) for _ in range(blocks))
        self.output = Linear(width, outputs)
        self._begin(next(m for m in self.modules() if isinstance(m, Linear)), first_scale, first_bias)

    @staticmethod
    @torch.no_grad()
    def _begin(first: Linear, scale: float, bias: float) -> None:
        """The first layer's frequencies and phases at the start."""
        first.weight.mul_(scale)
        if bias:  # else no random number is drawn
            first.bias.uniform_(-bias, bias)

    def layers(self, jet: Jet) -> Jet:
        h: Jet = self.input(jet)
        for block in self.blocks:
            inner: Jet = block(h)
            h = h + inner if self.skip else inner
        return self.output(h)

    def hidden(self) -> dict[str, Activation]:
        first = [] if isinstance(self.input, nn.Identity) else ["input"]
        names = first + [f"block{i}.{j}" for i in range(1, len(self.blocks) + 1) for j in (1, 2)]
        return dict(zip(names, super().hidden().values(), strict=True))


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "masked": FeedForward,
    "residual": partial(FeedForward, mask=False),
    "mlp": partial(FeedForward, mask=False, skip=False),
}


def make_network(spec: str | Mapping[str, Any] | nn.Module, inputs: int, outputs: int) -> nn.Module:
    """The network that a spec ("masked", {"name": "masked", "width": 32}) describes; a module is taken as it is.

    Raises ValueError for an unknown name or option.
    """
    if isinstance(spec, nn.Module):
        return spec
    name, options = split_spec(spec, "network")
    check_options(options, network_options(name), f"option of network {name!r}:")
    return NETWORKS[name](inputs, outputs, **options)


def network_options(name: str) -> dict[str, inspect.Parameter]:
    """The options of the network called `name`, with their types and defaults."""
    parameters = inspect.signature(lookup(NETWORKS, name, "network"), eval_str=True).parameters
    return {k: p for k, p in parameters.items() if k not in ("inputs", "outputs")}
