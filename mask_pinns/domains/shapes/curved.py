"""`HalfPlane` and `Ellipse`, with their surfaces.

Legend: N points, K coordinates of the shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains.domain import Domain
from mask_pinns.domains.region import UNBOUNDED
from mask_pinns.domains.shapes.balls import checked, positive
from mask_pinns.domains.surfaces import Bounds, Surface

ARCS = 2**14
"""Number of arcs by which the length of an ellipse is divided evenly."""


class HalfPlane(Domain):
    """The points behind a line or plane: `HalfPlane(x=0.5, y=0.0, normal={"x": 1.0, "y": 1.0})`.

    It goes through the point that is given; its normal points away from the shape.

    Example:
        >>> from mask_pinns import Box, HalfPlane
        >>> corner = Box(x=(0, 1), y=(0, 1)) & HalfPlane(x=0.5, y=0.5, normal={"x": 1.0, "y": 1.0})
        >>> round(corner.measure, 3)
        0.5

    Raises ValueError for a normal of zero length, or with other coordinates than the point.
    """

    is_round = True

    def __init__(self, normal: dict[str, float], **point: float) -> None:
        example = 'HalfPlane(x=0.5, y=0.0, normal={"x": 1.0, "y": 1.0})'
        if not isinstance(normal, dict):
            raise ValueError(f"HalfPlane: normal is {normal!r}; expected a number for each coordinate, e.g. {example}")
        self.point, normal = checked("HalfPlane", point), checked("HalfPlane", normal)
        if set(self.point) != set(normal) or not any(normal.values()):
            raise ValueError(f"HalfPlane: a point and a normal with the same coordinates are needed, e.g. {example}")
        length = math.hypot(*normal.values())
        self.normal = {name: normal[name] / length for name in self.point}
        self.names = tuple(self.point)
        self.low, self.high = zip(*(UNBOUNDED for _ in self.names), strict=True)

    def __repr__(self) -> str:
        point = ", ".join(f"{name}={value:g}" for name, value in self.point.items())
        normal = ", ".join(f"'{name}': {value:g}" for name, value in self.normal.items())
        return f"HalfPlane({point}, normal={{{normal}}})"

    def distance(self, p: Any) -> Any:
        return reduce(add, ((getattr(p, name) - self.point[name]) * -n for name, n in self.normal.items()))

    def contains(self, p: Any) -> Tensor:
        result: Tensor = self.distance(p) >= 0
        return result

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        corners = np.array([bounds[name] for name in self.names])  # (K, 2)
        point, normal = np.array([*self.point.values()]), np.array([*self.normal.values()])
        middle = corners.mean(1) - ((corners.mean(1) - point) @ normal) * normal
        reach = np.linalg.norm(corners[:, 1] - corners[:, 0]) / 2
        return [(Plane(self.names, tuple(middle.tolist()), tuple(normal.tolist()), float(reach)), 1.0)]


@dataclass(frozen=True)
class Plane(Surface):
    """A square of a plane around its point `middle`, `reach` to each side."""

    names: tuple[str, ...]
    middle: tuple[float, ...]
    normal: tuple[float, ...]
    reach: float

    @property
    def dimension(self) -> int:  # type: ignore[override]
        return len(self.names) - 1

    @property
    def measure(self) -> float:  # type: ignore[override]
        return (2 * self.reach) ** self.dimension

    @cached_property
    def _across(self) -> Tensor:
        """Unit vectors (K - 1, K) at right angles to the normal and to each other."""
        basis = np.linalg.qr(np.column_stack([self.normal, np.eye(len(self.names))]))[0]
        return torch.from_numpy(np.ascontiguousarray(basis[:, 1 : len(self.names)].T))

    def points(self, unit: Tensor) -> Tensor:
        return unit.new_tensor(self.middle) + (2 * unit - 1) * self.reach @ self._across.to(unit)

    def offset(self, x: Tensor) -> Tensor:
        return ((x - x.new_tensor(self.middle)) @ x.new_tensor(self.normal)).abs()

    def normals(self, x: Tensor) -> Tensor:
        return x.new_tensor(self.normal).expand_as(x)


class Ellipse(Domain):
    """The points of an ellipse whose half axes lie along two coordinates: `Ellipse(x=(0.0, 2.0), y=(0.0, 1.0))`.

    Each coordinate has its (centre, half axis). Its distance is f / sqrt(|grad f|^2 + f^2 / (a b)),
    f = 1 - (x/a)^2 - (y/b)^2 (normalized to first order; Rvachev).

    Example:
        >>> from mask_pinns import Ellipse
        >>> Ellipse(x=(0.0, 2.0), y=(0.0, 1.0))["x"]
        (-2.0, 2.0)

    Raises ValueError for other than two coordinates, and for half axes that are not above zero.
    """

    is_round = True

    def __init__(self, **axes: tuple[float, float]) -> None:
        if len(axes) != 2 or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in axes.values()):
            raise ValueError("an Ellipse needs two coordinates with (centre, half axis): Ellipse(x=(0, 2), y=(0, 1))")
        self.centre = checked("Ellipse", {name: pair[0] for name, pair in axes.items()})
        self.axes = {name: positive("Ellipse", f"the half axis along {name}", pair[1]) for name, pair in axes.items()}
        self.names = tuple(axes)
        self.low = tuple(self.centre[c] - self.axes[c] for c in self.names)
        self.high = tuple(self.centre[c] + self.axes[c] for c in self.names)

    def __repr__(self) -> str:
        return f"Ellipse({', '.join(f'{c}=({self.centre[c]:g}, {self.axes[c]:g})' for c in self.names)})"

    def _level(self, p: Any) -> Any:
        """f."""
        return 1.0 - reduce(add, (((getattr(p, c) - self.centre[c]) * (1 / self.axes[c])) ** 2 for c in self.names))

    def contains(self, p: Any) -> Tensor:
        result: Tensor = self._level(p) >= 0
        return result

    def distance(self, p: Any) -> Any:
        f = self._level(p)
        slope = reduce(add, (((getattr(p, c) - self.centre[c]) * (2 / self.axes[c] ** 2)) ** 2 for c in self.names))
        return f / torch.sqrt(slope + f * f * (1 / math.prod(self.axes.values())))

    def factor(self, p: Any, length: float) -> Any:
        return self._level(p)

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(Oval(self.names, tuple(self.centre.values()), tuple(self.axes.values())), 1.0)]

    @property
    def measure(self) -> float:
        return math.pi * math.prod(self.axes.values())


@dataclass(frozen=True)
class Oval(Surface):
    """The curve around an ellipse."""

    names: tuple[str, ...]
    centre: tuple[float, ...]
    axes: tuple[float, ...]
    dimension: int = 1

    @cached_property
    def _lengths(self) -> np.ndarray:
        """The length of the curve from angle 0 to each of the ends of the arcs."""
        middles = (np.arange(ARCS) + 0.5) * (2 * np.pi / ARCS)
        a, b = self.axes
        speed = np.hypot(a * np.sin(middles), b * np.cos(middles))
        return np.concatenate([[0.0], np.cumsum(speed)]) * (2 * np.pi / ARCS)

    @property
    def measure(self) -> float:  # type: ignore[override]
        return float(self._lengths[-1])

    def points(self, unit: Tensor) -> Tensor:
        ends = np.linspace(0, 2 * np.pi, ARCS + 1)
        angle = np.interp(unit[:, 0].double().cpu().numpy() * self.measure, self._lengths, ends)
        on_circle = torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], 1)).to(unit)
        return unit.new_tensor(self.centre) + on_circle * unit.new_tensor(self.axes)

    def offset(self, x: Tensor) -> Tensor:
        slope = self._gradient(x)
        f = (((x - x.new_tensor(self.centre)) / x.new_tensor(self.axes)) ** 2).sum(1) - 1
        return f.abs() / (slope.square().sum(1) + f.square() / math.prod(self.axes)).sqrt()

    def _gradient(self, x: Tensor) -> Tensor:
        return 2 * (x - x.new_tensor(self.centre)) / x.new_tensor(self.axes) ** 2

    def normals(self, x: Tensor) -> Tensor:
        slope = self._gradient(x)
        return slope / slope.norm(dim=1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
