"""Normalization layers on jets, the usual cure for drifting features, which Mask-PINNs do without.

    layer   (z - mean_H z) / sqrt(var_H z + eps) * gain + bias     over the H features of a point: pointwise
    batch   (z - mean_N z) / sqrt(var_N z + eps) * gain + bias     over the N points that pass together

Batch statistics depend on every point of the batch, so u at one point depends on where the others lie, and "the
derivative of u by x" is no longer one thing. Decided here: the statistics are constants for the derivatives by the
coordinates (every point sees one network, held fast), and functions of the parameters for the gradient, as in ordinary
training. Nested autograd, `grad(u.sum(), x)`, would add every point's influence on all the others.
In evaluation, pictures and predictions running averages take their place; looks at the features use the statistics of
the probes (`callbacks/probes.py`). Each set of points that travels by itself (initial values, walls) has its own
statistics in training and shares the running averages: that is the gap which the method criticises, left as it is.
Under several ranks each has the statistics of its own points.
Sources: Ba, Kiros & Hinton 2016 (arXiv 1607.06450); Ioffe & Szegedy 2015 (arXiv 1502.03167).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mask_pinns.jet import Jet

EPS = 1e-5
MOMENTUM = 0.1


def power(v: Tensor, exponent: float, order: int) -> list[Tensor]:
    """v^p and its derivatives by v, p (p-1) ... (p-k+1) v^(p-k) for k = 0 .. order; v > 0."""
    values, factor = [v**exponent], 1.0
    for k in range(1, order + 1):
        factor *= exponent - (k - 1)
        values.append(factor * v ** (exponent - k))
    return values


class Norm(nn.Module):
    """What both have: a gain, one at the start, and a bias, zero at the start, for each of `units` features."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(units))
        self.bias = nn.Parameter(torch.zeros(units))

    def scaled(self, z: Jet, factor: Tensor | float = 1.0) -> Jet:
        """z * factor * gain + bias."""
        scaled = z * (self.gain * factor)
        return Jet(z.derivatives, scaled.streams | {"": scaled.value + self.bias})


class LayerNorm(Norm):
    """Normalizes the features of each point: mean and variance are functions of the coordinates, by the jets' rules."""

    def forward(self, z: Jet) -> Jet:
        centred = z.map(lambda s: s - s.mean(1, keepdim=True))
        variance = (centred * centred).map(lambda s: s.mean(1, keepdim=True))  # (N, 1)
        inverse = variance.compose(power(variance.value + EPS, -0.5, z.derivatives.order))
        return self.scaled(centred * inverse)


class BatchNorm(Norm):
    """Normalizes each feature over the points, by their own statistics in training, by running averages otherwise."""

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
        return self.scaled(centred, (variance + EPS).rsqrt())

    def _of_batch(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (H,) over the points; the running averages move a tenth of the way towards them."""
        mean, variance = z.mean(0), z.var(0, correction=0)
        with torch.no_grad():
            self.mean.lerp_(mean, MOMENTUM)
            self.variance.lerp_(variance, MOMENTUM)
        return mean, variance


NORMS: dict[str, type[Norm] | None] = {"none": None, "layer": LayerNorm, "batch": BatchNorm}
