"""Layers that act on jets: a linear map, a pointwise activation with or without the mask, and a norm between them.

    h = sigma(z) m(z),   z = W h_previous + b,   m(z) = 1 - exp(-(alpha z)^2)

An `Activation` holds one alpha per unit; a `Masked` is a linear map followed by an activation. With a slope a, the
formula has a z in place of z.
A forward hook on an `Activation` receives z as input and h as output; feature statistics use such hooks.
Source of the mask: Mask-PINNs, arXiv 2505.06331.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mask_pinns.jets.activations import ACTIVATIONS, flat_share, mask
from mask_pinns.jets.functions import leibniz
from mask_pinns.jets.jet import Jet
from mask_pinns.jets.norms import NORMS
from mask_pinns.registry import lookup

Z = TypeVar("Z", Jet, Tensor)


class Linear(nn.Linear):
    """W z + b on jets; derivatives are multiplied by W alone. Weights start Xavier-normal, biases at zero."""

    def reset_parameters(self) -> None:
        nn.init.xavier_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, z: Jet) -> Jet:  # type: ignore[override]  # nn.Linear takes tensors
        return z.linear(self.weight, self.bias)


class Activation(nn.Module):
    """sigma(z), or sigma(z) m(z) with one learnable alpha per unit, all equal to `mask_init` at the start.

    Args:
        name: a key of ACTIVATIONS.
        units: number of units H.
        mask: multiply by the mask, pointwise.
        mask_init: initial alpha; its sign is irrelevant. At zero, the mask and its gradient would stay zero.
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
        """a z, the argument of sigma and of the mask."""
        return z if isinstance(self.slope, float) and self.slope == 1 else z * self.slope

    def forward(self, z: Jet) -> Jet:
        z = self.scaled(z)
        order = z.derivatives.order
        values = self.function(z.value, order)
        if self.alpha is not None:
            values = leibniz(values, mask(z.value, self.alpha, order))
        return z.compose(values)

    def unmasked(self, z: Tensor) -> Tensor:
        """sigma(z), which the mask multiplies."""
        value = self.function(self.scaled(z), 0)[0]
        assert value is not None
        return value

    def openness(self, z: Tensor) -> Tensor:
        """m(z), the factor of the mask on each activation; one without a mask."""
        if self.alpha is None:
            return torch.ones_like(z)
        value = mask(self.scaled(z), self.alpha, 0)[0]
        assert value is not None
        return value

    def saturation(self, z: Tensor) -> Tensor:
        """The fraction of entries of z in the flat region of the activation."""
        return flat_share(self.name, self.scaled(z))

    def extra_repr(self) -> str:
        return f"{self.name}, mask={self.alpha is not None}"


class Masked(nn.Sequential):
    """A linear map followed by a (masked) activation, h = sigma(W x + b) m(W x + b), with a `norm` between the two.

    Args:
        n_in, n_out: inputs and units.
        activation: a key of ACTIVATIONS.
        norm: a key of NORMS: none, layer, batch.
        options: further arguments of Activation: mask, mask_init, slope, adaptive.

    Raises:
        ValueError: an unknown activation or norm, or mask_init equal to zero.
    """

    def __init__(self, n_in: int, n_out: int, activation: str, norm: str = "none", **options: Any) -> None:
        norm_class = lookup(NORMS, norm, "norm")
        norms = [norm_class(n_out)] if norm_class else []
        super().__init__(Linear(n_in, n_out), *norms, Activation(activation, n_out, **options))
