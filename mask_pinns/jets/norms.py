"""Normalization layers on jets, the usual remedy for feature drift, which Mask-PINNs do without.

    layer   (z - mean_H z) / sqrt(var_H z + eps) * gain + bias     over the H features of a point: pointwise
    batch   (z - mean_N z) / sqrt(var_N z + eps) * gain + bias     over the N points that pass together

Batch statistics depend on every point of the batch, so u at one point depends on the positions of the others, and the
derivative of u by x is not uniquely defined. Here, the statistics are constants in the derivatives by the coordinates
(the network is the same fixed function at every point), and functions of the parameters in the gradient, as in ordinary
training. Nested autograd, `grad(u.sum(), x)`, would add every point's influence on all the others.
Evaluation, figures and predictions use running averages instead; feature statistics use the statistics of the probe
points (`callbacks/features/probes.py`). Each point set that has a separate pass (initial values, walls) has separate
statistics in training and shares the running averages: the method criticises this difference, and it is left as it is.
With several ranks, each rank has the statistics of its points.
Sources: Ba, Kiros & Hinton 2016 (arXiv 1607.06450); Ioffe & Szegedy 2015 (arXiv 1502.03167).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mask_pinns.jets.functions import power
from mask_pinns.jets.jet import Jet

VARIANCE_EPSILON = 1e-5
"""Added to a variance before its inverse square root is taken."""
AVERAGING_RATE = 0.1
"""Weight of the current batch in the running averages."""


class Norm(nn.Module):
    """The base class: a gain (initially one) and a bias (initially zero) for each of `units` features."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(units))
        self.bias = nn.Parameter(torch.zeros(units))

    def scaled(self, z: Jet, factor: Tensor | float = 1.0) -> Jet:
        """z * factor * gain + bias."""
        scaled = z * (self.gain * factor)
        return Jet(z.derivatives, scaled.streams | {"": scaled.value + self.bias})


class LayerNorm(Norm):
    """Normalizes the features of each point; mean and variance are jets, that is functions of the coordinates."""

    def forward(self, z: Jet) -> Jet:
        centred = z.map(lambda s: s - s.mean(1, keepdim=True))
        variance = (centred * centred).map(lambda s: s.mean(1, keepdim=True))  # (N, 1)
        inverse = variance.compose(power(variance.value + VARIANCE_EPSILON, z.derivatives.order, -0.5))
        return self.scaled(centred * inverse)


class BatchNorm(Norm):
    """Normalizes each feature over the points: in training by their statistics, otherwise by running averages."""

    couples_points = True
    mean: Tensor
    variance: Tensor

    def __init__(self, units: int) -> None:
        super().__init__(units)
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("variance", torch.ones(units))

    def forward(self, z: Jet) -> Jet:
        mean, variance = self._of_batch(z.value) if self.training else (self.mean, self.variance)
        centred = Jet(z.derivatives, z.streams | {"": z.value - mean})
        return self.scaled(centred, (variance + VARIANCE_EPSILON).rsqrt())

    def _of_batch(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (H,) over the points; the running averages move a tenth of the way towards them."""
        mean, variance = z.mean(0), z.var(0, correction=0)
        with torch.no_grad():
            self.mean.lerp_(mean, AVERAGING_RATE)
            self.variance.lerp_(variance, AVERAGING_RATE)
        return mean, variance


NORMS: dict[str, type[Norm] | None] = {"none": None, "layer": LayerNorm, "batch": BatchNorm}
