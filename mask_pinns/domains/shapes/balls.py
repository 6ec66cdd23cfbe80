"""`Ball` and `Disk`, with their surface.

Legend: N points, K coordinates of the shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains.domain import Domain
from mask_pinns.domains.surfaces import Bounds, Solid, Surface


def checked(shape: str, coordinates: dict[str, Any]) -> dict[str, float]:
    """Coordinates as numbers. Raises ValueError for names that are not single letters, time, and other values."""
    for name, value in coordinates.items():
        if not isinstance(name, str) or len(name) != 1 or not name.isalpha():
            raise ValueError(f"{shape} has {name!r}: a coordinate is a single letter, e.g. x")
        if name == "t":
            raise ValueError(f"{shape} mentions t: a shape is the same at all times; add time by `& Box(t=(0, 1))`")
        if not is_finite(value):
            raise ValueError(f"{shape}: {name} is {value!r}; expected a finite number")
    return {name: float(value) for name, value in coordinates.items()}


def positive(shape: str, name: str, value: Any) -> float:
    """A length. Raises ValueError for anything but a finite number above 0."""
    if not (is_finite(value) and value > 0):
        raise ValueError(f"{shape}: {name} is {value!r}; expected a number above 0")
    return float(value)


class Ball(Domain):
    """The points within a radius of a centre, in one or more coordinates: `Ball(x=0, y=0, z=0, radius=1)`.

    Its distance is (R^2 - r^2) / (2 R), r the distance from the centre.

    Example:
        >>> from mask_pinns import Ball
        >>> Ball(x=0.0, y=0.0, z=1.0, radius=0.5)["z"]
        (0.5, 1.5)

    Raises ValueError for a radius that is not above zero, and for coordinates that are not finite.
    """

    is_round = True

    def __init__(self, radius: float, **centre: float) -> None:
        kind = type(self).__name__
        if not centre:
            raise ValueError(f"a {kind} needs a centre, e.g. {kind}(x=0.0, y=0.0, radius=1.0)")
        self.centre, self.radius = checked(kind, centre), positive(kind, "radius", radius)
        self.names = tuple(self.centre)
        self.low = tuple(c - self.radius for c in self.centre.values())
        self.high = tuple(c + self.radius for c in self.centre.values())

    def __repr__(self) -> str:
        centre = ", ".join(f"{name}={value:g}" for name, value in self.centre.items())
        return f"{type(self).__name__}({centre}, radius={self.radius:g})"

    def _square(self, p: Any) -> Any:
        """r^2."""
        return reduce(add, ((getattr(p, name) - value) ** 2 for name, value in self.centre.items()))

    def contains(self, p: Any) -> Tensor:
        result: Tensor = self._square(p) <= self.radius**2
        return result

    def distance(self, p: Any) -> Any:
        return (self.radius**2 - self._square(p)) * (0.5 / self.radius)

    def factor(self, p: Any, length: float) -> Any:
        """1 - r^2 / R^2."""
        return 1.0 - self._square(p) * (1 / self.radius**2)

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(Sphere(self.names, tuple(self.centre.values()), self.radius), 1.0)]

    def solid(self) -> Solid | None:
        return Solid(self.names, len(self.names) + 1, self.measure, self._inside) if len(self.names) > 3 else None

    def _inside(self, unit: Tensor) -> Tensor:
        """Points (N, K) of the ball: a radius, which goes with the K-th root of the first number, and a direction."""
        centre = unit.new_tensor(tuple(self.centre.values()))
        return centre + self.radius * unit[:, :1] ** (1 / len(centre)) * directions(unit[:, 1:], len(centre))

    @property
    def measure(self) -> float:
        k = len(self.names)
        return math.pi ** (k / 2) / math.gamma(k / 2 + 1) * self.radius**k


class Disk(Ball):
    """The points within a radius of a centre in two coordinates: `Disk(x=0.3, y=0.3, radius=0.1)`.

    Example:
        >>> from mask_pinns import Box, Disk
        >>> (Box(x=(0, 1), y=(0, 1)) - Disk(x=0.5, y=0.5, radius=0.1)).names
        ('x', 'y')

    Raises ValueError as `Ball` does, and for other than two coordinates.
    """

    def __init__(self, radius: float, **centre: float) -> None:
        super().__init__(radius, **centre)
        if len(self.names) != 2:
            raise ValueError(f"a Disk has two coordinates, this one has {', '.join(self.names)}; others: Ball(...)")


def directions(unit: Tensor, k: int) -> Tensor:
    """Unit vectors (N, K), evenly spread: from one number for K = 2, two for K = 3, from K numbers for more."""
    if k == 1:
        return torch.where(unit[:, :1] < 0.5, -1.0, 1.0).to(unit)
    if k == 2:
        angle = 2 * math.pi * unit[:, 0]
        return torch.stack([angle.cos(), angle.sin()], 1)
    if k == 3:
        angle, height = 2 * math.pi * unit[:, 0], 2 * unit[:, 1] - 1
        across = (1 - height**2).clamp(min=0.0).sqrt()
        return torch.stack([across * angle.cos(), across * angle.sin(), height], 1)
    margin = torch.finfo(unit.dtype).eps
    normal = torch.erfinv((2 * unit[:, :k] - 1).clamp(margin - 1, 1 - margin))
    return normal / normal.norm(dim=1, keepdim=True).clamp(min=margin)


@dataclass(frozen=True)
class Sphere(Surface):
    """The surface of a ball."""

    names: tuple[str, ...]
    centre: tuple[float, ...]
    radius: float

    @property
    def dimension(self) -> int:  # type: ignore[override]
        return {1: 1, 2: 1, 3: 2}.get(len(self.names), len(self.names))

    @property
    def measure(self) -> float:  # type: ignore[override]
        k = len(self.names)
        return 2 * math.pi ** (k / 2) / math.gamma(k / 2) * self.radius ** (k - 1)

    def points(self, unit: Tensor) -> Tensor:
        return unit.new_tensor(self.centre) + self.radius * directions(unit, len(self.names))

    def offset(self, x: Tensor) -> Tensor:
        return ((x - x.new_tensor(self.centre)).norm(dim=1) - self.radius).abs()

    def normals(self, x: Tensor) -> Tensor:
        away = x - x.new_tensor(self.centre)
        return away / away.norm(dim=1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
