"""Adaptive collocation points, more of them where the residual is large: residual-based adaptive distribution (RAD).

From a pool of candidates x_i, points are chosen without replacement, with probabilities proportional to

    |r(x_i)|^k / mean(|r|^k) + c

A larger k places more points at large residuals, a larger c makes the distribution more uniform. Source: Wu, Zhu, Tan,
Kartha & Lu, Comput. Methods Appl. Mech. Eng. 403 (2023) 115671 (arXiv 2207.10289), whose default is k = c = 1.

Legend: M candidates, D coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective import Objective

CANDIDATES_PER_POINT = 10
"""Size of the pool, relative to the number of points."""
MAX_CANDIDATES = 2**24
"""Largest number of candidates that torch.multinomial accepts."""
CANDIDATE_CHUNK = 8192
"""Number of candidates at which residuals are evaluated at a time."""


def check_adaptive(adaptive: Sequence[float]) -> tuple[float, float] | None:
    """(k, c); None for an empty sequence, which turns it off. Raises ValueError for anything else."""
    numbers = tuple(map(float, adaptive))
    if numbers and (len(numbers) != 2 or not all(math.isfinite(x) and x >= 0 for x in numbers)):
        raise ValueError(f"adaptive is {list(adaptive)}; expected two numbers K C, neither negative, e.g. 1 1")
    return (numbers[0], numbers[1]) if numbers else None


def pool_size(n: int) -> int:
    """The number of candidates for n points."""
    return max(n, min(CANDIDATES_PER_POINT * n, MAX_CANDIDATES))


@torch.no_grad()
def residual_sizes(objective: Objective, network: nn.Module, x: Tensor) -> Tensor:
    """|r| of the PDE at points x (M, D): (M,). For a system, the root of the weighted sum of its squared residuals."""
    equation = objective.equation
    objective.separate_streams()
    sizes = []
    with evaluation_mode(network):
        for chunk in x.split(CANDIDATE_CHUNK):
            residuals = objective.residuals_at(network, equation, chunk).values()
            sizes.append(torch.stack([r.weight * r.vector.detach().square() for r in residuals]).sum(0).sqrt())
    return torch.cat(sizes)


def chances(sizes: Tensor, k: float, c: float) -> Tensor:
    """Numbers (M,) proportional to the probabilities; all equal if residuals are zero or not finite."""
    powers = (sizes / sizes.max()).pow(k)  # no overflow or underflow, whatever the scale of the residual
    return ((powers / powers.mean()).nan_to_num(0.0) + c).clamp(min=1e-12)  # positive, so that n can be chosen


def choose(sizes: Tensor, n: int, k: float, c: float, random: Generator) -> Tensor:
    """Indices (n,) of the chosen candidates, all different; fewer where there are fewer candidates."""
    return torch.multinomial(chances(sizes, k, c), min(n, len(sizes)), replacement=False, generator=random)
