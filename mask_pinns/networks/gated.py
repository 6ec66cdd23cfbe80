"""Gated networks: two layers of the coordinates, U and V, gate every following layer.

    gate(z) = z U + (1 - z) V = V + z (U - V)

Sources: modified MLP, Wang, Teng & Perdikaris 2021 (arXiv 2001.04536); PirateNet, Wang, Li, Chen & Perdikaris 2024
(arXiv 2402.00326).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from mask_pinns.jets import Activation, Jet, JetNetwork, Linear, Masked
from mask_pinns.networks.base import check_sizes


def mix(z: Jet, u: Jet, v: Jet) -> Jet:
    """v + z (u - v)."""
    return v + z * (u + -1.0 * v)


class ModifiedMLP(JetNetwork):
    """h_0 = sigma(W x + b), h_k = gate(sigma(W_k h_(k-1) + b_k)) for 2 `blocks` layers, a linear output.

    Args:
        inputs: number of coordinates D.
        outputs: number of fields F.
        width: units per layer H.
        blocks: pairs of gated layers.
        activation: a key of ACTIVATIONS.
        mask: multiply each activation, the gates' too, by the learnable mask.
        mask_init: initial alpha.

    Raises:
        ValueError: width below one, blocks below zero, an unknown activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 64,
        blocks: int = 3,
        activation: str = "tanh",
        mask: bool = False,
        mask_init: float = 1.0,
    ) -> None:
        super().__init__()
        check_sizes(width, blocks, inputs)
        layer = partial(Masked, activation=activation, mask=mask, mask_init=mask_init)
        self.u, self.v, self.input = (layer(inputs, width) for _ in range(3))
        self.gated = nn.ModuleList(layer(width, width) for _ in range(2 * blocks))
        self.output = Linear(width, outputs)

    def layers(self, jet: Jet) -> Jet:
        u, v, h = self.u(jet), self.v(jet), self.input(jet)
        for layer in self.gated:
            h = mix(layer(h), u, v)
        return self.output(h)

    def hidden(self) -> dict[str, Activation]:
        names = ["gate_u", "gate_v", "input", *(f"layer{i}" for i in range(1, len(self.gated) + 1))]
        return dict(zip(names, super().hidden().values(), strict=True))


class PirateBlock(nn.Module):
    """x + a (h - x), h = sigma(W_3 gate(sigma(W_2 gate(sigma(W_1 x))))), a trainable and initially zero."""

    def __init__(self, width: int, layer: partial[Masked]) -> None:
        super().__init__()
        self.first, self.second, self.third = (layer(width, width) for _ in range(3))
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, x: Jet, u: Jet, v: Jet) -> Jet:
        h = self.third(mix(self.second(mix(self.first(x), u, v)), u, v))
        return x + (h + -1.0 * x) * self.share


class PirateNet(JetNetwork):
    """Blocks that start as the identity: the network becomes deeper as their coefficients a grow from zero.

    The published network has random Fourier features before it: `--network piratenet --fourier 32
    --network.input_layer false` at width 64. Unlike there, the output layer is not fitted to data before training.

    Args:
        inputs: number of coordinates D.
        outputs: number of fields F.
        width: units per layer H.
        blocks: number of blocks, of three layers each.
        activation: a key of ACTIVATIONS.
        mask: multiply each activation, the gates' too, by the learnable mask.
        mask_init: initial alpha.
        input_layer: start with a (masked) layer; without it, an embedding has to give `width` inputs.

    Raises:
        ValueError: width below one, blocks below zero, an unknown activation, inputs that do not fit the blocks.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 64,
        blocks: int = 3,
        activation: str = "tanh",
        mask: bool = False,
        mask_init: float = 1.0,
        input_layer: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(width, blocks, inputs, input_layer)
        layer = partial(Masked, activation=activation, mask=mask, mask_init=mask_init)
        self.input = layer(inputs, width) if input_layer else nn.Identity()
        self.u, self.v = layer(width, width), layer(width, width)
        self.blocks = nn.ModuleList(PirateBlock(width, layer) for _ in range(blocks))
        self.output = Linear(width, outputs)

    def layers(self, jet: Jet) -> Jet:
        h = self.input(jet)
        u, v = self.u(h), self.v(h)
        for block in self.blocks:
            h = block(h, u, v)
        return self.output(h)

    def hidden(self) -> dict[str, Activation]:
        first = [] if isinstance(self.input, nn.Identity) else ["input"]
        inner = [f"block{i}.{j}" for i in range(1, len(self.blocks) + 1) for j in (1, 2, 3)]
        return dict(zip([*first, "gate_u", "gate_v", *inner], super().hidden().values(), strict=True))

    def block_outputs(self) -> dict[str, nn.Module]:
        return {f"block{i}": block for i, block in enumerate(self.blocks, 1)}
