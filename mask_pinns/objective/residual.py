"""`Residual`: one residual vector of a term with its weights, and its part of the loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Residual:
    """One residual vector, its weight, and the N by which its sum of squares is divided.

    `adaptive_weight` is a factor on the squares that changes in training: one for each entry, or a single one.
    """

    vector: Tensor
    weight: float
    count: int
    adaptive_weight: Tensor | None = None

    @property
    def mean_square(self) -> Tensor:
        """sum(r^2) / N, without any weight."""
        return self.vector.square().sum() / self.count

    @property
    def part(self) -> Tensor:
        """w sum(e r^2) / N: this residual's part of the loss."""
        if self.adaptive_weight is None:
            return self.weight * self.mean_square
        return self.weight * (self.adaptive_weight * self.vector.square()).sum() / self.count

    @property
    def scaled(self) -> Tensor:
        """sqrt(e w / N) r: its squared norm is this residual's part of the loss."""
        return self.scaled_to(self.count)

    def scaled_to(self, count: int) -> Tensor:
        """`scaled`, if these are some of the residuals at `count` points on each piece."""
        factor = self.weight / count
        return self.vector * (factor if self.adaptive_weight is None else self.adaptive_weight * factor) ** 0.5
