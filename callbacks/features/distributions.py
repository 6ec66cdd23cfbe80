"""Functions on tensors that describe a distribution of features: moments, quantiles, rank, distance to another one.

Legend: N probe points, H units, S entries of a sample.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import torch
from torch import Tensor

from mask_pinns.jets.activations import share

QUANTILES = {"p01": 0.01, "p25": 0.25, "median": 0.5, "p75": 0.75, "p99": 0.99}
SAMPLE_SIZE = 65536
"""The largest sample: all entries of 256 units at 256 points. Sorting them takes 0.1 to 4 ms."""
DEAD_SPREAD = 1e-3
"""A unit is dead if its spread is at most this times the spread of all entries."""
CLOSED_MASK = 0.01
"""A mask is closed at points where m(z) is below this."""


def to_float64(x: Tensor) -> Tensor:
    """Converts x to float64, in which the square of 1e-30 is not zero, if the device has it (mps does not)."""
    return x if x.device.type == "mps" else x.double()


def moments(x: Tensor) -> dict[str, Tensor]:
    """Computes moments of all entries by population formulas (no correction for the sample size), in float64.

    They are mean, std and, with u = (x - mean) / std, skewness E[u^3] and kurtosis E[u^4] - 3, which is zero for a
    normal distribution. Skewness and kurtosis are NaN if std is zero.
    """
    x = to_float64(x)
    mean = x.mean()
    std = x.std(correction=0)
    u = (x - mean) / std
    square = u.square()
    return {"mean": mean, "std": std, "skewness": (square * u).mean(), "kurtosis": square.square().mean() - 3}


def quantiles(values: Tensor) -> dict[str, Tensor]:
    """Computes the QUANTILES of a sorted sample (S,) with linear interpolation."""
    values = to_float64(values)
    position = values.new_tensor(list(QUANTILES.values())) * (len(values) - 1)
    low, high = position.floor().long(), position.ceil().long()
    return dict(zip(QUANTILES, torch.lerp(values[low], values[high], position - low), strict=True))


def effective_rank(x: Tensor) -> Tensor:
    """Computes exp(-sum p log p), p the singular values of the centred (N, H) features divided by their sum.

    This is the number of directions that the features really use, 1 to min(N - 1, H); 0 if all singular values are
    zero. Source: Roy & Vetterli, EUSIPCO 2007.
    """
    if not torch.isfinite(x).all():
        return x.new_tensor(torch.nan)  # LAPACK raises an error for such entries
    singular = torch.linalg.svdvals(x - x.mean(0))
    p = singular / singular.sum().clamp(min=torch.finfo(x.dtype).tiny)
    return torch.where(singular.sum() > 0, torch.exp(torch.special.entr(p).sum()), 0.0)


def dead_share(x: Tensor) -> Tensor:
    """Computes the share of dead units (columns): with a standard deviation of at most 1e-3 of that of all entries."""
    x = to_float64(x)
    spread = x.std(0, correction=0)
    return share(spread <= DEAD_SPREAD * x.std(correction=0), spread)


def closed_share(openness: Tensor) -> Tensor:
    """Computes the share of units whose mask is closed at every point: openness m(z) (N, H) below 0.01 everywhere."""
    largest = openness.amax(0)
    return share(largest < CLOSED_MASK, largest)


GOLDEN = 0.618
"""The part of the units by which a sample moves on: it spreads consecutive entries over all of them."""


def sample(x: Tensor) -> Tensor:
    """Returns all entries of x (N, H), sorted, or SAMPLE_SIZE of them if there are more: (S,).

    Distances are computed between such samples. The k-th entry is at the point k N / S, rounded down, and of the unit
    k g mod H, where g has no divisor in common with H: points and units have equal shares, up to one entry, and no
    entry is taken twice.
    """
    values = x.detach().flatten()
    if len(values) > SAMPLE_SIZE:
        units = x.shape[-1]
        step = next(g for g in range(round(GOLDEN * units) or 1, 2 * units + 1) if gcd(g, units) == 1)
        k = torch.arange(SAMPLE_SIZE, device=x.device)
        values = values[k * (len(values) // units) // SAMPLE_SIZE * units + k * step % units]
    if values.device.type == "cpu":  # numpy sorts several times as fast as torch on a CPU
        return torch.from_numpy(np.sort(values.numpy()))
    return values.sort().values


def wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Computes the 1-Wasserstein distance of two sorted samples: mean |a - b|.

    If their sizes differ, as those of a version before, the larger one is thinned out to the size of the other.
    """
    size = min(len(a), len(b))
    a, b = (x[torch.arange(size, device=x.device) * len(x) // size] for x in (a, b))
    return (a - b).abs().mean()


class Drift:
    """Measures how far distributions have moved: 1-Wasserstein distances over the standard deviation at the start."""

    def __init__(self) -> None:
        self.start: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def __call__(self, name: str, now: Tensor) -> dict[str, Tensor]:
        """Compares a sorted sample with the first one of this name (drift) and with the previous one (drift_step).

        Both distances are 0 for the first sample. They are NaN if the first sample has no spread, and so no unit.
        """
        if name not in self.start or len(self.start[name]) != len(now):  # new, or with another number of probes
            self.start[name] = self.last[name] = now
        start, last = self.start[name].to(now), self.last.get(name, now).to(now)
        self.last[name] = now
        spread = to_float64(start).std(correction=0)
        unit = torch.where(spread > 0, spread, torch.nan)
        return {"drift": wasserstein(now, start) / unit, "drift_step": wasserstein(now, last) / unit}
