"""`Surface`, a part of a shape's boundary by itself; `Flat`, the axis-parallel one; `Solid`, points inside a shape.

A shape is bounded by surfaces in its own coordinates. What a combination of shapes leaves of them is found by
`BoundaryPiece` (cuts.py).

Legend: N points, K coordinates of the shape.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Bounds = Mapping[str, tuple[float, float]]


class Surface(ABC):
    """A surface in K coordinates.

    Attributes:
        names: the K coordinates.
        dimension: the number of random numbers that one point takes.
        measure: its length, area, ...; 1 for a point.
    """

    names: tuple[str, ...]
    dimension: int
    measure: float

    @abstractmethod
    def points(self, unit: Tensor) -> Tensor:
        """Points (N, K), evenly spread by measure, from samples (N, dimension) of the unit cube."""

    def drawn(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """`points`, and the normals at them, both (N, K)."""
        x = self.points(unit)
        return x, self.normals(x)

    @abstractmethod
    def offset(self, x: Tensor) -> Tensor:
        """About the distance of points (N, K) from the surface, 0 on it, (N,)."""

    @abstractmethod
    def normals(self, x: Tensor) -> Tensor:
        """The unit normals (N, K) at points (N, K) of the surface; they point out of the shape."""


@dataclass(frozen=True)
class Flat(Surface):
    """A rectangle on which one coordinate is fixed: a side of a box, `outward` is -1 on its low side, 1 on the high."""

    bounds: Bounds
    fixed: str
    value: float
    outward: float

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.bounds)

    @property
    def dimension(self) -> int:  # type: ignore[override]
        return len(self.bounds) - 1

    @property
    def measure(self) -> float:  # type: ignore[override]
        return math.prod(high - low for name, (low, high) in self.bounds.items() if name != self.fixed)

    def points(self, unit: Tensor) -> Tensor:
        free = iter(unit.unbind(1))
        columns = [
            unit.new_full((len(unit),), self.value) if name == self.fixed else low + (high - low) * next(free)
            for name, (low, high) in self.bounds.items()
        ]
        return torch.stack(columns, 1)

    def offset(self, x: Tensor) -> Tensor:
        parts = [
            (column - self.value).abs() if name == self.fixed else torch.maximum(low - column, column - high)
            for (name, (low, high)), column in zip(self.bounds.items(), x.unbind(1), strict=True)
        ]
        return torch.stack(parts).amax(0).clamp(min=0.0)

    def normals(self, x: Tensor) -> Tensor:
        return x.new_tensor([self.outward if name == self.fixed else 0.0 for name in self.names]).expand_as(x)


@dataclass(frozen=True, eq=False)
class Solid:
    """Candidates in K coordinates, evenly spread, from samples (N, dimension) of the unit cube."""

    names: tuple[str, ...]
    dimension: int
    measure: float
    points: Callable[[Tensor], Tensor]
