"""Collocation points where the residual is large: residual-based adaptive distribution (RAD).

From a pool of candidates x_i, points are chosen without replacement, with probabilities proportional to

    |r(x_i)|^k / mean(|r|^k) + c

so k says how strongly large residuals draw points, c how many stay everywhere. Wu, Zhu, Tan, Kartha & Lu, Comput.
Methods Appl. Mech. Eng. 403 (2023) 115671 (arXiv 2207.10289), whose default is k = c = 1.

Legend: M candidates, D coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from mask_pinns.modes import evaluation_mode
from mask_pinns.objective import Objective

CANDIDATES = 10  # for each point that is wanted
LARGEST = 2**24  # candidates that torch.multinomial takes
CHUNK = 8192


def check_adaptive(adaptive: Sequence[float]) -> tuple[float, float] | None:
    """(k, c); None for an empty sequence, which turns it off. Raises ValueError for anything else."""
    numbers = tuple(map(float, adaptive))
    if numbers and (len(numbers) != 2 or not all(math.isfinite(x) and x >= 0 for x in numbers)):
        raise ValueError(f"adaptive is {list(adaptive)}; expected two numbers K C, neither negative, e.g. 1 1")
    return (numbers[0], numbers[1]) if numbers else None


def pool_size(n: int) -> int:
    """The number of candidates for n points."""
    return max(n, min(CANDIDATES * n, LARGEST))


@torch.no_grad()
def residual_sizes(objective: Objective, network: nn.Module, x: Tensor) -> Tensor:
    """|r| of the PDE at points x (M, D): (M,). Of a system, the root of the weighted sum of its residuals' squares."""
    term = objective.terms[0]
    sizes = []
    with evaluation_mode(network):
        for piece in x.split(CHUNK):
            residuals = objective.residuals_at(network, term, piece).values()
            sizes.append(torch.stack([r.weight * r.vector.detach().square() for r in residuals]).sum(0).sqrt())
    return torch.cat(sizes)


def chances(sizes: Tensor, k: float, c: float) -> Tensor:
    """The numbers (M,) that probabilities are proportional to; all alike where residuals are zero or not finite."""
    powers = (sizes / sizes.max()).pow(k)  # neither overflow nor underflow, whatever the residual's scale
    return ((powers / powers.mean()).nan_to_num(0.0) + c).clamp(min=1e-12)  # not zero: n must be there to choose


def choose(sizes: Tensor, n: int, k: float, c: float, random: Generator) -> Tensor:
    """Indices (n,) of the chosen candidates, all different; fewer where there are fewer candidates."""
    return torch.multinomial(chances(sizes, k, c), min(n, len(sizes)), replacement=False, generator=random)
