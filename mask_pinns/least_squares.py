"""The loss as a sum of squares for Gauss-Newton: residuals and Jacobian at frozen points, summed over the ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mask_pinns.compilation import Loss
from mask_pinns.jacobian import Jacobian
from mask_pinns.objective import PointSets


class ResidualSquares:
    """What `GaussNewton.step` asks for, at one rank's points.

    Args:
        jacobian: of the weighted residuals.
        loss: of network and points, compiled or not.
        points: of every term.
        over_ranks: the mean of a tensor over the ranks; None where there is only one.
    """

    def __init__(
        self, jacobian: Jacobian, loss: Loss, points: PointSets, over_ranks: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.jacobian, self.evaluate, self.points, self.over_ranks = jacobian, loss, points, over_ranks

    @torch.no_grad()
    def loss(self) -> Tensor:
        """|v|^2 at the parameters as they are."""
        value, _ = self.evaluate(self.jacobian.network, self.points)
        return self.total(value)

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.jacobian.blocks(self.points)

    def total(self, x: Tensor) -> Tensor:
        return x if self.over_ranks is None else self.over_ranks(x)

    @property
    def rows(self) -> int | None:
        """The number of residuals; None where several ranks share them: no rank then has J J' as a whole."""
        if self.over_ranks is not None:
            return None
        return self.jacobian.rows(self.points)
