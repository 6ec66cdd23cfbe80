"""`Polygon`: a simple polygon by its corners.

Its distance is 2 / W, W the mean value potential

    W = sum over sides of (1/r_1 + 1/r_2) tan(a / 2),   r_1, r_2 the distances of the side's ends, a the angle between

which is smooth but at the corners, with slope 1 on each side (Hormann & Floater 2006; Belyaev, Fayolle & Pasko 2013).

Legend: N points, S sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains.domain import Domain
from mask_pinns.domains.shapes.balls import checked
from mask_pinns.domains.surfaces import Bounds, Surface

MOST_PAIRS = 2**20
"""Number of points times sides, or of pairs of sides, that are looked at at a time."""


MOST_CORNERS = 64
"""Conditions on polygons of more corners are not made exact."""


class Polygon(Domain):
    """The points inside a closed line through corners: `Polygon(x=(0, 1, 1), y=(0, 0, 1))`.

    Corners are given in order, by coordinate; the last one is joined to the first.

    Example:
        >>> from mask_pinns import Polygon
        >>> Polygon(x=(0.0, 1.0, 1.0), y=(0.0, 0.0, 1.0)).measure
        0.5

    Raises ValueError for other than two coordinates, fewer than three corners, sides that cross or have no length.
    """

    def __init__(self, **corners: Sequence[float]) -> None:
        if len(corners) != 2 or len({len(c) if isinstance(c, tuple | list) else -1 for c in corners.values()}) != 1:
            raise ValueError(
                "a Polygon needs two coordinates, each with a tuple of its corners' values: "
                "Polygon(x=(0, 1, 1), y=(0, 0, 1))"
            )
        checked("Polygon", dict.fromkeys(corners, 0.0))
        for name, values in corners.items():
            if len(values) < 3 or not all(map(is_finite, values)):
                raise ValueError(f"Polygon: {name} is {values!r}; expected three or more finite numbers")
        self.names = tuple(corners)
        points = np.array([*corners.values()], dtype=np.float64).T  # (S, 2)
        area = _area(points)
        self.corners = points if area > 0 else points[::-1].copy()  # anticlockwise
        self.low, self.high = tuple(points.min(0).tolist()), tuple(points.max(0).tolist())
        if reason := _fault(self.corners):
            raise ValueError(f"{self!r}: {reason}")

    def __repr__(self) -> str:
        if len(self.corners) > 8:
            return f"Polygon of {len(self.corners)} corners in {', '.join(self.names)}"
        columns = {name: tuple(map(float, c)) for name, c in zip(self.names, self.corners.T, strict=True)}
        return f"Polygon({', '.join(f'{name}={column}' for name, column in columns.items())})"

    def contains(self, p: Any) -> Tensor:
        """By the number of sides that a ray crosses; points on a side are in or out by rounding."""
        x, y = (getattr(p, name) for name in self.names)
        (low, high), (ends, sides) = self[self.names[1]], self._rows
        ends, sides = ends.to(x.device), sides.to(x.device)
        row = ((y - low) / (high - low) * len(self.corners)).long().clamp(0, len(self.corners) - 1)
        counts = ends[row + 1] - ends[row]
        point = torch.repeat_interleave(torch.arange(len(x), device=x.device), counts)  # (M,), a pair with each side
        k = torch.arange(len(point), device=x.device) - (counts.cumsum(0) - counts)[point]
        first = sides[ends[row][point] + k]
        corners = x.new_tensor(self.corners)
        (x1, y1), (x2, y2) = corners[first].T, corners[(first + 1) % len(corners)].T
        slope = (x2 - x1) / torch.where(y2 == y1, torch.ones_like(y1), y2 - y1)
        x, y = x[point], y[point]
        crosses = ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * slope)
        return torch.zeros_like(counts).index_add(0, point, crosses.long()) % 2 == 1

    @cached_property
    def _rows(self) -> tuple[Tensor, Tensor]:
        """The sides that reach into each of S equal rows of the bounding box, row after row, and where a row ends."""
        y = self.corners[:, 1]
        ends = (np.stack([y, np.roll(y, -1)]) - y.min()) / np.ptp(y) * len(y)
        first = np.clip(np.floor(ends.min(0) - 0.01), 0, len(y) - 1).astype(np.int64)  # a margin for single precision
        last = np.clip(np.floor(ends.max(0) + 0.01), 0, len(y) - 1).astype(np.int64)
        rows = np.concatenate([np.arange(a, b + 1) for a, b in zip(first, last, strict=True)])
        sides = np.repeat(np.arange(len(y)), last - first + 1)[np.argsort(rows, kind="stable")]
        return torch.from_numpy(np.searchsorted(np.sort(rows), np.arange(len(y) + 1))), torch.from_numpy(sides)

    def distance(self, p: Any) -> Any:
        """2 / W, written as 2 d / (c + d V) with the side that is seen at the largest angle: W = c / d + V."""
        x, y = (getattr(p, name) for name in self.names)
        nearest, rest = None, None
        for (x1, y1), (x2, y2) in zip(self.corners.tolist(), np.roll(self.corners, -1, 0).tolist(), strict=True):
            side = _Side.seen(x, y, (x1, y1), (x2, y2))
            if nearest is None:
                nearest = side
                continue
            larger = side.cosine < nearest.cosine
            lesser = _chosen(larger, nearest.potential, side.potential)
            rest = lesser if rest is None else rest + lesser
            nearest = nearest.replaced(side, larger)
        assert nearest is not None and rest is not None
        return 2.0 * nearest.twice_area / (nearest.slope + nearest.twice_area * rest)

    @property
    def is_smooth(self) -> bool:
        """False for many corners, where the derivatives of W take too long."""
        return len(self.corners) <= MOST_CORNERS

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(Ring(self.names, tuple(map(tuple, self.corners.tolist()))), 1.0)]

    @property
    def measure(self) -> float:
        return float(_area(self.corners))


@dataclass(frozen=True)
class _Side:
    """A side as it is seen from points: |v1 v2| with sign, c, its part of W, and the cosine of the angle."""

    twice_area: Any
    slope: Any
    potential: Any
    cosine: Tensor

    @classmethod
    def seen(cls, x: Any, y: Any, first: tuple[float, float], second: tuple[float, float]) -> _Side:
        (ax, ay), (bx, by) = ((px - x, py - y) for px, py in (first, second))
        least = torch.finfo(_value(ax).dtype).tiny  # at a corner itself, 0 instead of 0 / 0
        r1, r2 = torch.sqrt(ax * ax + ay * ay + least), torch.sqrt(bx * bx + by * by + least)
        dot, area, lengths = ax * bx + ay * by, ax * by - ay * bx, r1 * r2
        ends = 1.0 / r1 + 1.0 / r2
        slope = (lengths - dot) * ends
        wide = _value(dot) < 0  # of two equal forms of tan(a / 2), the one that does not cancel
        potential = _chosen(wide, slope / area, area / (lengths + dot) * ends)
        at_end = torch.minimum(_value(r1), _value(r2)) < 2 * least**0.5
        return cls(area, slope, potential, torch.where(at_end, -1.0, _value(dot) / _value(lengths)))

    def replaced(self, other: _Side, where: Tensor) -> _Side:
        """The other one where it is chosen."""
        pairs = ((self.twice_area, other.twice_area), (self.slope, other.slope), (self.potential, other.potential))
        a, b, c = (_chosen(where, new, old) for old, new in pairs)
        return _Side(a, b, c, torch.where(where, other.cosine, self.cosine))


def _value(x: Any) -> Tensor:
    """The values (N,) of a tensor, or of numbers with their derivatives."""
    result: Tensor = x if isinstance(x, Tensor) else x.value
    return result


def _chosen(condition: Tensor, a: Any, b: Any) -> Any:
    """a where the condition (N,) holds, else b, for tensors and for numbers with their derivatives."""
    return torch.where(condition, a, b) if isinstance(a, Tensor) else a._where(condition, b)


@dataclass(frozen=True)
class Ring(Surface):
    """The closed line around a polygon, anticlockwise."""

    names: tuple[str, ...]
    corners: tuple[tuple[float, ...], ...]
    dimension: int = 1

    @cached_property
    def _sides(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first end and the direction of each side, both (S, 2), and its length (S,)."""
        start = np.array(self.corners)
        across = np.roll(start, -1, 0) - start
        lengths = np.linalg.norm(across, axis=1)
        return start, across / lengths[:, None], lengths

    @property
    def measure(self) -> float:  # type: ignore[override]
        return float(self._sides[2].sum())

    def points(self, unit: Tensor) -> Tensor:
        return self.drawn(unit)[0]

    def drawn(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        start, direction, lengths = (unit.new_tensor(part) for part in self._sides)
        ends = torch.cumsum(lengths, 0)
        along = unit[:, 0] * ends[-1]
        i = torch.bucketize(along, ends, right=True).clamp(max=len(ends) - 1)
        return start[i] + (along - ends[i] + lengths[i])[:, None] * direction[i], _right_of(direction[i])

    def _nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The distance of points (N, 2) from the nearest side, and which one it is, both (N,)."""
        parts = [self._distances(part).min(1) for part in x.split(max(1, MOST_PAIRS // len(self.corners)))]
        return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])

    def _distances(self, x: Tensor) -> Tensor:
        """The distances of points (N, 2) from the sides, (N, S)."""
        start, direction, lengths = (x.new_tensor(part) for part in self._sides)
        away = x[:, None] - start  # (N, S, 2)
        along = torch.minimum((away * direction).sum(2).clamp(min=0.0), lengths)
        return (away - along[:, :, None] * direction).norm(dim=2)

    def offset(self, x: Tensor) -> Tensor:
        return self._nearest(x)[0]

    def normals(self, x: Tensor) -> Tensor:
        return _right_of(x.new_tensor(self._sides[1])[self._nearest(x)[1]])


def _right_of(direction: Tensor) -> Tensor:
    """Directions (N, 2) turned by a right angle to the right."""
    return torch.stack([direction[:, 1], -direction[:, 0]], 1)


def _area(corners: np.ndarray) -> float:
    """The area inside corners (S, 2); negative if they are in clockwise order."""
    corners = corners - corners[0]  # far from the origin, products would cancel
    following = np.roll(corners, -1, 0)
    return float((corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum() / 2)


def _fault(corners: np.ndarray) -> str:
    """Why corners (S, 2) make no simple polygon, "" if they do."""
    across = np.roll(corners, -1, 0) - corners
    if not np.linalg.norm(across, axis=1).min() > 1e-12 * np.ptp(corners, axis=0).max():
        return "two corners that follow each other are the same"
    if not abs(_area(corners)) > 1e-12 * np.ptp(corners, axis=0).max() ** 2:
        return "its area is zero"
    rows = range(0, len(corners), max(1, MOST_PAIRS // len(corners)))
    parts = (np.arange(first, min(first + rows.step, len(corners))) for first in rows)
    return "two of its sides cross" if any(_crosses(corners, across, part) for part in parts) else ""


def _crosses(start: np.ndarray, across: np.ndarray, rows: np.ndarray) -> bool:
    """Whether one of the sides `rows` (R,) has a point in common with another one that is no neighbour."""
    gap = start[None] - start[rows, None]  # (R, S, 2)
    det = across[rows, None, 0] * across[None, :, 1] - across[rows, None, 1] * across[None, :, 0]
    parallel = det == 0
    det = np.where(parallel, 1.0, det)
    s = (gap[..., 0] * across[None, :, 1] - gap[..., 1] * across[None, :, 0]) / det
    t = (gap[..., 0] * across[rows, None, 1] - gap[..., 1] * across[rows, None, 0]) / det
    n = len(start)
    apart = (np.arange(n)[None] - rows[:, None]) % n
    meets = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1) & ~parallel & (apart > 1) & (apart < n - 1)
    return bool(meets.any())
