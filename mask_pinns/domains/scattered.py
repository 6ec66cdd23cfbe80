"""`ScatteredPlace`: points that are given, as those of measurements, with further numbers at each of them.

Legend: N points, D coordinates, K further numbers of a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mask_pinns.domains.places import Piece, Place, Sample
from mask_pinns.domains.points import Points


@dataclass(frozen=True, eq=False)
class ScatteredPiece(Piece):
    """Given points (N, D): none is drawn, none has an image, and no other point lies on them."""

    x: Tensor

    normal = {}  # noqa: RUF012  # as of any piece inside the domain

    @property
    def dimension(self) -> int:
        return 0

    def points(self, unit: Tensor) -> Tensor:
        """All of the points, whatever the samples."""
        return self.x.to(unit)

    def holds(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)

    def mirrored(self, name: str) -> Piece:
        return self

    def coincides(self, other: Piece) -> bool:
        """Never, not even with itself: what is measured at a point says nothing about its image."""
        return False


class ScatteredPlace(Place):
    """Given points, all of which are always drawn, each a row (D + K) of its coordinates and of further numbers.

    Args:
        rows: the points with their numbers, (N, D + K), float64.
        dimension: D.
    """

    rows: Tensor
    _converted: dict[tuple[torch.dtype, torch.device], Tensor]

    def __init__(self, rows: Tensor, dimension: int) -> None:
        super().__init__(((ScatteredPiece(rows[:, :dimension]),),))
        vars(self).update(rows=rows, _converted={})  # it is frozen

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def further(self) -> int:
        piece = self.pieces[0]
        assert isinstance(piece, ScatteredPiece)
        return self.rows.shape[1] - piece.x.shape[1]

    def draw(self, n: int, sample: Sample) -> Tensor:
        """All rows (N, D + K), whatever the number n."""
        like = sample(0, 1)
        key = like.dtype, like.device
        if key not in self._converted:  # a device receives them once, not at every step
            with torch.inference_mode(False):  # those of a validation are trained on later
                self._converted[key] = self.rows.to(like.device, like.dtype)
        return self._converted[key]

    def check_points(self, like: Tensor, count: int = 2) -> Tensor:
        """The first few rows, (count, D + K); from the start again where there are fewer."""
        return self.rows[torch.arange(count) % len(self.rows)].to(like)

    def at(self, x: Tensor, names: tuple[str, ...]) -> Points:
        """The points of rows (N, D + K)."""
        return Points(x[:, : len(names)], names, measured=x[:, len(names) :])
