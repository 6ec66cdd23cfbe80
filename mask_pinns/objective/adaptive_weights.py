"""Weights that change in training: causal weights of points, and multipliers of residuals by their gradients.

The formulas are functions of tensors alone, with shapes that do not depend on the data: they compile with the loss.

Legend: N points, R residuals, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

CAUSAL_TIME_BINS = 32
"""Number of equal time intervals in which causal weights take the mean of squared residuals."""
LEAST_CAUSAL_WEIGHT = 1e-3
"""Smallest causal weight for an optimizer that searches for its steps.

With weights of zero its long steps move later times anywhere, from where the equation has to bring them back."""
MeanOverRanks = Callable[[Tensor], Tensor]
"""The mean of a tensor over the ranks."""


class AdaptiveWeights(nn.Module):
    """Weights that change in training, as factors on the squares of residuals.

    Args:
        causal: epsilon of the causal weights of the PDE's points (`causal_weights`); 0: none.
        balance: steps between updates of the residuals' multipliers (`balance_multipliers`); 0: none.

    `multipliers` (R,) exists if `balance` is not 0. It is a buffer: checkpoints contain it, and it changes in place, so
    that a compiled loss stays valid. `names` are the names of its residuals, empty before `start`.
    Causal weights are computed again at every evaluation of the loss, unless they are frozen for a step.

    Raises:
        ValueError: an epsilon below zero or not finite, a negative number of steps.
    """

    multipliers: Tensor

    def __init__(self, causal: float = 0.0, balance: int = 0) -> None:
        super().__init__()
        if not (math.isfinite(causal) and causal >= 0):
            raise ValueError(f"causal is {causal}; expected a number, 0 (no causal weights) or more")
        if balance < 0:
            raise ValueError(f"balance is {balance}; expected a number of steps, or 0 (no balancing)")
        self.causal, self.balance = float(causal), balance
        self.names: tuple[str, ...] = ()
        self.frozen_causal_weights: Tensor | None = None
        if balance:
            self.register_buffer("multipliers", torch.ones(0))

    def start(self, names: Sequence[str]) -> None:
        """Sets multipliers of 1 for the residuals with these names, if residuals are balanced."""
        if self.balance:
            self.names = tuple(names)
            self.multipliers = self.multipliers.new_ones(len(self.names))

    def factors(self, residuals: Mapping[str, Tensor], time: Tensor | None) -> dict[str, Tensor]:
        """Factors on the squares of one term's residuals, by name; empty if there are none.

        `time` (N,), between 0 and 1, is given for a term whose points have causal weights.
        """
        factors: dict[str, Tensor] = {}
        if time is not None:
            weights = self.frozen_causal_weights
            if weights is None or len(weights) != len(time):
                weights = causal_weights(list(residuals.values()), time, self.causal)
            factors = dict.fromkeys(residuals, weights)
        if self.names:
            multipliers = {name: self.multipliers[self.names.index(name)] for name in residuals}
            factors = {name: factor * factors.get(name, 1.0) for name, factor in multipliers.items()}
        return factors

    def freeze_causal_weights(
        self,
        residuals: Sequence[Tensor],
        time: Tensor,
        over_ranks: MeanOverRanks | None = None,
        least: float = 0.0,
    ) -> None:
        """Fixes the causal weights at those of these residuals, until they are fixed again or set to None.

        Weights below `least` are raised to it.
        """
        weights = causal_weights(residuals, time, self.causal, over_ranks).clamp(min=least)
        if self.frozen_causal_weights is None or self.frozen_causal_weights.shape != weights.shape:
            self.frozen_causal_weights = weights
        else:
            self.frozen_causal_weights.copy_(weights)  # in place: a compiled loss stays valid

    def update_multipliers(
        self,
        parts: Sequence[Tensor],
        parameters: Sequence[Tensor],
        over_ranks: MeanOverRanks | None = None,
    ) -> None:
        """Updates the multipliers from the R parts of the loss."""
        rows = gradients(parts, parameters)
        norms = gradient_norms(rows if over_ranks is None else over_ranks(rows), self.multipliers)
        self.multipliers.copy_(balance_multipliers(self.multipliers, norms))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Takes the number of multipliers from the checkpoint, since it is not known before `start`."""
        loaded = state_dict.get(f"{prefix}multipliers")
        if self.balance and loaded is not None and not self.names:
            self.multipliers = loaded.new_ones(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def causal_weights(
    residuals: Sequence[Tensor], time: Tensor, epsilon: float, over_ranks: MeanOverRanks | None = None
) -> Tensor:
    """Weights (N,) that are small at a point as long as the residuals at earlier times are large.

        w = exp(-epsilon sum of L_k over the bins k before that of the point)

    L_k is the mean square of the residuals (summed over those of a system) in bin k of 32 equal ones, 0 in an empty
    bin. No gradient goes through the weights. Source: Wang, Sankaran & Perdikaris (arXiv 2203.07404), who have a grid
    of times in place of bins.

    Args:
        residuals: residuals of the equation, each (N,).
        time: time of each point, 0 at the start and 1 at the end, (N,).
        epsilon: strictness; 0 gives weights of 1.
        over_ranks: the mean of a tensor over the ranks, if several share the points.
    """
    squares = torch.stack([r.detach().square() for r in residuals]).sum(0)
    index = (time.detach() * CAUSAL_TIME_BINS).long().clamp(0, CAUSAL_TIME_BINS - 1)
    inside = index[:, None] == torch.arange(CAUSAL_TIME_BINS, device=time.device)  # (N, 32)
    # This sum has the same order every time, unlike a scatter on a GPU.
    sums = torch.stack([(inside * squares[:, None]).sum(0), inside.to(squares.dtype).sum(0)])
    totals, counts = sums if over_ranks is None else over_ranks(sums)
    means = torch.where(counts > 0, totals / counts, 0.0)
    before = torch.cat([means.new_zeros(1), means[:-1].cumsum(0)])
    return torch.exp(-epsilon * before)[index]


def gradients(parts: Sequence[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """(R, P): the gradient of each of the loss's parts, zero in parameters that it does not depend on."""
    rows = []
    for part in parts:
        row = torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in row]))
    return torch.stack(rows)


def gradient_norms(gradients: Tensor, multipliers: Tensor) -> Tensor:
    """|grad L_r| (R,) from the gradients (R, P) of the loss's parts, which are the L_r times their multipliers."""
    return torch.linalg.vector_norm(gradients, dim=1) / multipliers


def balance_multipliers(multipliers: Tensor, norms: Tensor, keep: float = 0.9) -> Tensor:
    """Multipliers (R,) after one update towards equal norms of the gradients of all m_r L_r.

        m_r <- keep m_r + (1 - keep) (sum over k of |grad L_k|) / |grad L_r|

    At the fixed point, each norm is the sum of all |grad L_k|. L_r is a residual's weighted mean square, so that in the
    end the given weights make no difference between residuals. A residual whose gradient is zero, or not finite, keeps
    its multiplier. Source: Wang, Sankaran, Wang & Perdikaris, "An expert's guide to training PINNs" (arXiv 2308.08468),
    algorithm 1.
    """
    new = keep * multipliers + (1 - keep) * norms.sum() / norms
    return torch.where(new.isfinite(), new, multipliers)
