"""What describes a distribution of features, as functions on tensors: shape, rank, distance to another one.

Legend: N probe points, H units, S entries of a sample.
"""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor

QUANTILES = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}
SAMPLE = 4096
DEAD = 1e-3


def shape(x: Tensor) -> dict[str, Tensor]:
    """Moments of all entries, by population formulas (no correction for the sample size).

    mean; std; skewness E[(x - mean)^3] / std^3; kurtosis E[(x - mean)^4] / std^4 - 3, zero for a normal distribution.
    Skewness and kurtosis are NaN where std is zero.
    """
    mean = x.mean()
    centred = x - mean
    square = centred.square()
    variance = square.mean()
    return {
        "mean": mean,
        "std": variance.sqrt(),
        "skewness": (square * centred).mean() / variance**1.5,
        "kurtosis": square.square().mean() / variance.square() - 3,
    }


def quantiles(x: Tensor) -> dict[str, Tensor]:
    """The QUANTILES of all entries of a sample of at most SAMPLE, with linear interpolation."""
    values = sample(x)
    at = values.quantile(values.new_tensor(list(QUANTILES.values())))
    return dict(zip(QUANTILES, at, strict=True))


def effective_rank(x: Tensor) -> Tensor:
    """exp(-sum p log p), p the singular values of the centred (N, H) features divided by their sum; 0 for none.

    How many directions the features really use: 1 to min(N - 1, H). Roy & Vetterli, EUSIPCO 2007.
    """
    singular = torch.linalg.svdvals(x - x.mean(0))
    p = singular / singular.sum().clamp(min=torch.finfo(x.dtype).tiny)
    return torch.where(singular.sum() > 0, torch.exp(torch.special.entr(p).sum()), 0.0)


def dead_share(x: Tensor) -> Tensor:
    """The share of units (columns) that hardly move: standard deviation below 1e-3 of that of all entries."""
    return (x.std(0, correction=0) <= DEAD * x.std(correction=0)).to(x.dtype).mean()


def sample(x: Tensor) -> Tensor:
    """At most SAMPLE entries of x (N, H) at equal strides, sorted: (S,). What distances are taken between.

    The stride has no divisor in common with H, so that every unit has its share.
    """
    stride = -(-x.numel() // SAMPLE)
    while gcd(stride, x.shape[-1]) > 1:
        stride += 1
    return x.flatten()[::stride].sort().values


def wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """The 1-Wasserstein distance of two sorted samples of the same size: mean |a - b|."""
    return (a - b).abs().mean()
