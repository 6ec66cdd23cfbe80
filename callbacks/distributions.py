"""What describes a distribution of features, as functions on tensors: shape, rank, distance to another one.

Legend: N probe points, H units, S entries of a sample.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import torch
from torch import Tensor

from mask_pinns.activations import share

QUANTILES = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}
SAMPLE = 65536  # all entries of 256 units at 256 points; sorting them takes 0.1 to 4 ms
DEAD = 1e-3
CLOSED = 0.01


def wide(x: Tensor) -> Tensor:
    """x in float64, where the square of 1e-30 is no zero; as it is on a device that has none (mps)."""
    return x if x.device.type == "mps" else x.double()


def shape(x: Tensor) -> dict[str, Tensor]:
    """Moments of all entries, by population formulas (no correction for the sample size), in float64.

    mean; std; and with u = (x - mean) / std: skewness E[u^3]; kurtosis E[u^4] - 3, zero for a normal distribution.
    Skewness and kurtosis are NaN where std is zero.
    """
    x = wide(x)
    mean = x.mean()
    std = x.std(correction=0)
    u = (x - mean) / std
    square = u.square()
    return {"mean": mean, "std": std, "skewness": (square * u).mean(), "kurtosis": square.square().mean() - 3}


def quantiles(values: Tensor) -> dict[str, Tensor]:
    """The QUANTILES of a sorted sample (S,), with linear interpolation."""
    values = wide(values)
    at = values.new_tensor(list(QUANTILES.values())) * (len(values) - 1)
    low, high = at.floor().long(), at.ceil().long()
    return dict(zip(QUANTILES, torch.lerp(values[low], values[high], at - low), strict=True))


def effective_rank(x: Tensor) -> Tensor:
    """exp(-sum p log p), p the singular values of the centred (N, H) features divided by their sum; 0 for none.

    How many directions the features really use: 1 to min(N - 1, H). Roy & Vetterli, EUSIPCO 2007.
    """
    if not torch.isfinite(x).all():
        return x.new_tensor(torch.nan)  # what LAPACK refuses
    singular = torch.linalg.svdvals(x - x.mean(0))
    p = singular / singular.sum().clamp(min=torch.finfo(x.dtype).tiny)
    return torch.where(singular.sum() > 0, torch.exp(torch.special.entr(p).sum()), 0.0)


def dead_share(x: Tensor) -> Tensor:
    """The share of units (columns) that hardly move: standard deviation below 1e-3 of that of all entries."""
    x = wide(x)
    moves = x.std(0, correction=0)
    return share(moves <= DEAD * x.std(correction=0), moves)


def closed_share(openness: Tensor) -> Tensor:
    """The share of units whose mask is shut at every point: m(z) (N, H) nowhere above 0.01."""
    most = openness.amax(0)
    return share(most < CLOSED, most)


def sample(x: Tensor) -> Tensor:
    """All entries of x (N, H), sorted, or SAMPLE of them where there are more: (S,). What distances are taken between.

    A sample is taken at equal strides. These have no divisor in common with H, so that every unit has its share.
    """
    stride = -(-x.numel() // SAMPLE)
    while gcd(stride, x.shape[-1]) > 1:
        stride += 1
    values = x.detach().flatten()[::stride]
    if values.device.type == "cpu":  # several times as fast as torch's there
        return torch.from_numpy(np.sort(values.numpy()))
    return values.sort().values


def wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """The 1-Wasserstein distance of two sorted samples of the same size: mean |a - b|."""
    return (a - b).abs().mean()


class Drift:
    """How far distributions have moved: 1-Wasserstein distances in units of the standard deviation at the start."""

    def __init__(self) -> None:
        self.start: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def __call__(self, name: str, now: Tensor) -> dict[str, Tensor]:
        """From a sorted sample, drift: the distance to the first of this name; drift_step: to the last one.

        Both are 0 at the first; NaN where the start has no spread, as there is no unit then.
        """
        if name not in self.start or len(self.start[name]) != len(now):  # never seen, or by another number of probes
            self.start[name] = self.last[name] = now
        start, last = self.start[name].to(now), self.last.get(name, now).to(now)
        self.last[name] = now
        spread = wide(start).std(correction=0)
        unit = torch.where(spread > 0, spread, torch.nan)
        return {"drift": wasserstein(now, start) / unit, "drift_step": wasserstein(now, last) / unit}
