"""Layers that act on jets: a linear map, and a pointwise activation with or without the mask.

    h = sigma(z) m(z),   z = W h_previous + b,   m(z) = 1 - exp(-(alpha z)^2)

One `Activation` holds one alpha per unit; one `Masked` is the linear map with the activation behind it.
Hooks on an `Activation` see z come in and h go out: that is where feature statistics are taken.
Source of the mask: Mask-PINNs, arXiv 2505.06331.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mask_pinns.activations import ACTIVATIONS, flat_share, leibniz, mask
from mask_pinns.jet import Jet
from mask_pinns.registry import lookup


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

    Raises:
        ValueError: an unknown activation, or mask_init equal to zero.
    """

    alpha: Tensor | None

    def __init__(self, name: str, units: int, mask: bool = True, mask_init: float = 1.0) -> None:
        super().__init__()
        self.name = name
        self.function = lookup(ACTIVATIONS, name, "activation")
        if mask and not mask_init:
            raise ValueError("mask_init is 0: the mask and its gradient vanish there; take a nonzero value, e.g. 1.0")
        self.register_parameter("alpha", nn.Parameter(torch.full((units,), float(mask_init))) if mask else None)

    def forward(self, z: Jet) -> Jet:
        order = z.derivatives.order
        values = self.function(z.value, order)
        if self.alpha is not None:
            values = leibniz(values, mask(z.value, self.alpha, order))
        return z.compose(values)

    def openness(self, z: Tensor) -> Tensor:
        """m(z), the part of each activation that the mask lets through; one where there is no mask."""
        if self.alpha is None:
            return torch.ones_like(z)
        opened = mask(z, self.alpha, 0)[0]
        assert opened is not None
        return opened

    def saturation(self, z: Tensor) -> Tensor:
        """The share of entries of z on the flat part of the activation."""
        return flat_share(self.name, z)

    def extra_repr(self) -> str:
        return f"{self.name}, mask={self.alpha is not None}"


class Masked(nn.Sequential):
    """A linear map with a (masked) activation behind it: h = sigma(W x + b) m(W x + b)."""

    def __init__(self, n_in: int, n_out: int, activation: str, mask: bool = True, mask_init: float = 1.0) -> None:
        super().__init__(Linear(n_in, n_out), Activation(activation, n_out, mask, mask_init))
