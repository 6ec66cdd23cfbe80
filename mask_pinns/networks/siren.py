"""Networks of sines of high frequency, whose initialization keeps the spread of features through the depth.

Source: SIREN, Sitzmann, Martel, Bergman, Lindell & Wetzstein 2020 (arXiv 2006.09661).
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn

from mask_pinns.jets import Activation, Jet, JetNetwork, Linear, Masked
from mask_pinns.networks.base import check_sizes


class Siren(JetNetwork):
    """h = sin(omega (W h_before + b)) in 1 + 2 `blocks` layers, a linear output.

    Initial weights are uniform within +-1 / D in the first layer, within +-sqrt(6 / H) / omega in the others; biases
    within +-1 / sqrt(inputs of the layer). The mask has the same argument as the sine: sin(omega z) m(omega z).

    Args:
        inputs: number of coordinates D.
        outputs: number of fields F.
        width: units per layer H.
        blocks: pairs of layers after the first.
        activation: a key of ACTIVATIONS.
        mask: multiply each activation by the learnable mask.
        mask_init: initial alpha.
        omega: factor in front of every activation.

    Raises:
        ValueError: width below one, blocks below zero, an unknown activation, omega zero or below.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int = 64,
        blocks: int = 3,
        activation: str = "sin",
        mask: bool = False,
        mask_init: float = 1.0,
        omega: float = 30.0,
    ) -> None:
        super().__init__()
        check_sizes(width, blocks, inputs)
        if not (omega > 0 and math.isfinite(omega)):
            raise ValueError(f"omega is {omega}; it must be above 0")
        layer = partial(Masked, activation=activation, mask=mask, mask_init=mask_init, slope=omega)
        self.masked = nn.ModuleList(layer(width if i else inputs, width) for i in range(1 + 2 * blocks))
        self.output = Linear(width, outputs)
        self._initialize(omega)

    @torch.no_grad()
    def _initialize(self, omega: float) -> None:
        for i, linear in enumerate(m for m in self.modules() if isinstance(m, Linear)):
            inputs = linear.in_features
            bound = math.sqrt(6 / inputs) / omega if i else 1 / inputs
            linear.weight.uniform_(-bound, bound)
            linear.bias.uniform_(-1 / math.sqrt(inputs), 1 / math.sqrt(inputs))

    def layers(self, jet: Jet) -> Jet:
        for layer in self.masked:
            jet = layer(jet)
        return self.output(jet)

    def hidden(self) -> dict[str, Activation]:
        names = ["input", *(f"layer{i}" for i in range(1, len(self.masked)))]
        return dict(zip(names, super().hidden().values(), strict=True))
