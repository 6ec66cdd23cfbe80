"""Layers that act on jets: a linear map, and a pointwise activation with or without the mask, a norm between them.

    h = sigma(z) m(z),   z = W h_previous + b,   m(z) = 1 - exp(-(alpha z)^2)

One `Activation` holds one alpha per unit; one `Masked` is the linear map with the activation behind it. With a slope a,
z in the formula is a z.
Hooks on an `Activation` see z come in and h go out: that is where feature statistics are taken.
Source of the mask: Mask-PINNs, arXiv 2505.06331.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mask_pinns.activations import ACTIVATIONS, flat_share, leibniz, mask
from mask_pinns.jet import Jet
from mask_pinns.norms import NORMS
from mask_pinns.registry import lookup

Z = TypeVar("Z", Jet, Tensor)


class Linear(nn.Linear):
    """W z + b on jets: every derivative passes through W alone. Xavier-normal weights, zero biases."""

    def reset_parameters(self) -> None:
        nn.init.xavier_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, z: Jet) -> Jet:  # type: ignore[override]  # nn.Linear speaks of tensors
        return z.linear(self.weight, self.bias)


class Activation(nn.Module):
    """sigma(z), or sigma(z) m(z) with one learnable alpha per unit, all equal to `mask_init` at the start.

    Args:
        name: a key of ACTIVATIONS.
        units: number of units H.
        mask: multiply by the mask, pointwise.
        mask_init: alpha at the start; its sign is irrelevant, and at zero the mask is shut for good.
        slope: factor on z, in front of sigma and mask.
        adaptive: train the slope, one for each unit (Jagtap, Kawaguchi & Karniadakis 2020, arXiv 1909.12228).

    Raises:
        ValueError: an unknown activation, or mask_init equal to zero.
    """

    alpha: Tensor | None

    def __init__(
        self,
        name: str,
        units: int,
        mask: bool = True,
        mask_init: float = 1.0,
        slope: float = 1.0,
        adaptive: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.function = lookup(ACTIVATIONS, name, "activation")
        if mask and not mask_init:
            raise ValueError("mask_init is 0: the mask and its gradient vanish there; take a nonzero value, e.g. 1.0")
        self.register_parameter("alpha", nn.Parameter(torch.full((units,), float(mask_init))) if mask else None)
        self.slope = nn.Parameter(torch.full((units,), float(slope))) if adaptive else slope

    def scaled(self, z: Z) -> Z:
        """a z, what sigma and the mask are functions of."""
        return z if isinstance(self.slope, float) and self.slope == 1 else z * self.slope

    def forward(self, z: Jet) -> Jet:
        z = self.scaled(z)
        order = z.derivatives.order
        values = self.function(z.value, order)
        if self.alpha is not None:
            values = leibniz(values, mask(z.value, self.alpha, order))
        return z.compose(values)

    def unmasked(self, z: Tensor) -> Tensor:
        """sigma(z), what the mask multiplies."""
        value = self.function(self.scaled(z), 0)[0]
        assert value is not None
        return value

    def openness(self, z: Tensor) -> Tensor:
        """m(z), the part of each activation that the mask lets through; one where there is no mask."""
        if self.alpha is None:
            return torch.ones_like(z)
        opened = mask(self.scaled(z), self.alpha, 0)[0]
        assert opened is not None
        return opened

    def saturation(self, z: Tensor) -> Tensor:
        """The share of entries of z on the flat part of the activation."""
        return flat_share(self.name, self.scaled(z))

    def extra_repr(self) -> str:
        return f"{self.name}, mask={self.alpha is not None}"


class Masked(nn.Sequential):
    """A linear map with a (masked) activation behind it: h = sigma(W x + b) m(W x + b); `norm` between the two.

    Args:
        n_in, n_out: inputs and units.
        activation: a key of ACTIVATIONS.
        norm: a key of NORMS: none, layer, batch.
        options: further ones of Activation: mask, mask_init, slope, adaptive.

    Raises:
        ValueError: an unknown activation or norm, or mask_init equal to zero.
    """

    def __init__(self, n_in: int, n_out: int, activation: str, norm: str = "none", **options: Any) -> None:
        between = lookup(NORMS, norm, "norm")
        normed = [between(n_out)] if between else []
        super().__init__(Linear(n_in, n_out), *normed, Activation(activation, n_out, **options))
