"""Feed-forward networks: masked residual blocks as published, and variants without the mask or the skip connections."""

from __future__ import annotations

from functools import partial

from torch import nn

from mask_pinns.jets import Activation, Jet, JetNetwork, Linear, Masked
from mask_pinns.networks.base import check_sizes, initialize_first_layer


class Block(nn.Sequential):
    """Layers in sequence; with `skip`, a skip connection around all of them: h + layers(h)."""

    def __init__(self, *layers: nn.Module, skip: bool) -> None:
        super().__init__(*layers)
        self.skip = skip

    def forward(self, h: Jet) -> Jet:
        inner: Jet = super().forward(h)
        return h + inner if self.skip else inner


class FeedForward(JetNetwork):
    """A masked (or plain) input layer, `blocks` blocks of two such layers, a linear output.

    With `skip`, a skip connection leads around both layers of each block. Hidden layers: 1 + 2 blocks.
    Parameters: with width H, D inputs, F outputs, and k = 2 with the mask, 1 without,
    H (D + k) + 2 blocks H (H + k) + F (H + 1).

    Args:
        inputs: number of coordinates D.
        outputs: number of fields F.
        width: units per hidden layer H.
        blocks: number of two-layer blocks.
        activation: a key of ACTIVATIONS.
        mask: multiply each activation by the learnable mask.
        mask_init: initial alpha (1 as published, 20 for Helmholtz).
        skip: skip connection around each block.
        input_layer: start with an input layer; without it, the inputs enter the blocks directly (an embedding has to
            give `width` of them).
        first_scale: factor on the first layer's initial weights; above one for solutions of high frequency.
        first_bias: the first layer's biases start uniform in [-first_bias, first_bias] (0 as published). pi spreads the
            phases of sine units; with 0, an odd activation makes an odd function of the coordinates.
        norm: none, layer or batch, between each linear map and its activation; 2 H more parameters a layer.
        adaptive: sigma(a z) with a trainable slope a for each unit; H more parameters a layer.

    Raises:
        ValueError: width below one, blocks below zero, an unknown activation or norm, inputs that do not fit the
            blocks, first_scale zero or below, first_bias below zero.
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
        norm: str = "none",
        adaptive: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(width, blocks, inputs, input_layer)
        layer = partial(Masked, activation=activation, mask=mask, mask_init=mask_init, norm=norm, adaptive=adaptive)
        self.input = layer(inputs, width) if input_layer else nn.Identity()
        self.blocks = nn.ModuleList(Block(layer(width, width), layer(width, width), skip=skip) for _ in range(blocks))
        self.output = Linear(width, outputs)
        initialize_first_layer(next(m for m in self.modules() if isinstance(m, Linear)), first_scale, first_bias)

    def layers(self, jet: Jet) -> Jet:
        h: Jet = self.input(jet)
        for block in self.blocks:
            h = block(h)
        return self.output(h)

    def hidden(self) -> dict[str, Activation]:
        first = [] if isinstance(self.input, nn.Identity) else ["input"]
        names = first + [f"block{i}.{j}" for i in range(1, len(self.blocks) + 1) for j in (1, 2)]
        return dict(zip(names, super().hidden().values(), strict=True))

    def block_outputs(self) -> dict[str, nn.Module]:
        return {f"block{i}": block for i, block in enumerate(self.blocks, 1)}
