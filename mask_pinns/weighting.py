"""Weights that the training finds itself: causal weights of points, multipliers of residuals by their gradients.

Functions on tensors alone, shapes independent of the data: they compile with the loss.

Legend: N points, R residuals, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

BINS = 32
OverRanks = Callable[[Tensor], Tensor]
"""The mean of a tensor over the ranks."""


def causal_weights(
    residuals: Sequence[Tensor], time: Tensor, epsilon: float, over_ranks: OverRanks | None = None
) -> Tensor:
    """Weights (N,) that let a point count only as the equation holds at the times before it.

        w = exp(-epsilon sum over bins k before the point's own of L_k)

    L_k is the mean square of the residuals (summed over those of a system) in bin k of 32 equal ones, 0 in an empty
    bin. No gradient goes through the weights. Wang, Sankaran & Perdikaris (arXiv 2203.07404), with bins where theirs
    has a grid of times.

    Args:
        residuals: of the equation, each (N,).
        time: of each point, 0 the start and 1 the end, (N,).
        epsilon: how strict; 0 gives weights of 1.
        over_ranks: the mean of a tensor over the ranks, where several share the points.
    """
    squares = torch.stack([r.detach().square() for r in residuals]).sum(0)
    index = (time.detach() * BINS).long().clamp(0, BINS - 1)
    inside = index[:, None] == torch.arange(BINS, device=time.device)  # (N, 32)
    # A sum in the same order every time, unlike a scatter on a GPU.
    sums = torch.stack([(inside * squares[:, None]).sum(0), inside.to(squares.dtype).sum(0)])
    totals, counts = sums if over_ranks is None else over_ranks(sums)
    means = torch.where(counts > 0, totals / counts, 0.0)
    before = torch.cat([means.new_zeros(1), means[:-1].cumsum(0)])
    return torch.exp(-epsilon * before)[index]


def gradients(parts: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """(R, P): the gradient of each of the loss's parts, zero in parameters that it does not depend on."""
    rows = []
    for part in parts:
        found = torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    return torch.stack(rows)


def gradient_norms(gradients: Tensor, multipliers: Tensor) -> Tensor:
    """|grad L_r| (R,) from the gradients (R, P) of the loss's parts, which are the L_r times their multipliers."""
    return torch.linalg.vector_norm(gradients, dim=1) / multipliers


def balanced(multipliers: Tensor, norms: Tensor, keep: float = 0.9) -> Tensor:
    """Multipliers (R,) on their way to where every residual's gradient is as long as all of theirs together.

        m_r <- keep m_r + (1 - keep) (sum over k of |grad L_k|) / |grad L_r|

    L_r is a residual's weighted mean square, so that in the end the given weights make no difference between residuals.
    A residual whose gradient is zero, or not finite, keeps its multiplier. Wang, Sankaran, Wang & Perdikaris,
    "An expert's guide to training PINNs" (arXiv 2308.08468), algorithm 1.
    """
    new = keep * multipliers + (1 - keep) * norms.sum() / norms
    return torch.where(new.isfinite(), new, multipliers)
