"""`Plane`, the section of a domain by a plane, and its triangles: what lies outside, a hole or a notch, has none.

Inside are the points of a grid, on the edge the points where grid lines leave the domain, found by bisection; a domain
of two coordinates in space gives points of its boundary itself. Delaunay triangles of these points are left out where
they lie outside.

Legend: M points, T triangles, D coordinates of the domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.tri import Triangulation
from torch import Tensor

from mask_pinns.domains import Domain, Points
from mask_pinns.domains.places import kronecker

GRID_POINTS = 4000
"""Approximate number of grid points inside a section."""
EDGE_POINTS = 1000
"""Approximate number of points on the boundary of a domain of two coordinates in space."""
BISECTIONS = 8
"""Halvings of a grid interval in which the boundary lies."""
TOO_NEAR = 0.3
"""Grid points this near to the edge are left out, in grid intervals: triangles with them are slivers."""
MOST_STRETCHED = 10.0
"""Largest ratio of the sides of a section that is drawn with equal scales."""
SMALLEST_SHARE = 0.02
"""Least share of a plane that counts as a section of the domain: one that touches it shows nothing."""

Inside = Callable[[Tensor], Tensor]
"""Tells which points (M, K) lie in a domain, (M,)."""


@dataclass(frozen=True)
class Plane:
    """The section of a domain by a plane: two coordinates are free, the others fixed."""

    domain: Domain
    names: tuple[str, str]
    fixed: Mapping[str, float]

    @property
    def low(self) -> Tensor:
        return torch.tensor([self.domain[name][0] for name in self.names], dtype=torch.float64)

    @property
    def high(self) -> Tensor:
        return torch.tensor([self.domain[name][1] for name in self.names], dtype=torch.float64)

    @property
    def equal(self) -> bool:
        """Whether both coordinates have the same scale in a picture: lengths, unless one side is very long."""
        sides = self.high - self.low
        return "t" not in self.names and bool(sides.max() <= MOST_STRETCHED * sides.min())

    @property
    def units(self) -> Tensor:
        """The lengths (2,) that are drawn alike."""
        return torch.ones(2, dtype=torch.float64) if self.equal else self.high - self.low

    def lifted(self, x: Tensor, **fixed: float) -> Tensor:
        """Points (M, 2) of the plane as points (M, D) of the domain; `fixed` replaces fixed values."""
        values = {**self.fixed, **fixed}
        columns = {name: torch.full((len(x),), value, dtype=x.dtype) for name, value in values.items()}
        columns |= dict(zip(self.names, x.unbind(1), strict=True))
        return torch.stack([columns[name] for name in self.domain.names], 1)

    def contains(self, x: Tensor) -> Tensor:
        """Whether points (M, 2) lie in the domain, (M,)."""
        return self.domain.contains(Points(self.lifted(x), self.domain.names))

    def grid(self, shape: tuple[int, int]) -> Tensor:
        """A grid over the bounding box, (n1, n2, 2)."""
        ends = zip(self.low.tolist(), self.high.tolist(), shape, strict=True)
        axes = [torch.linspace(low, high, n, dtype=torch.float64) for low, high, n in ends]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)

    def share(self, n: int) -> float:
        """The share of the bounding box that belongs to the domain, by a grid of n by n points."""
        return float(self.contains(self.grid((n, n)).flatten(0, 1)).double().mean())


def section(domain: Domain, names: tuple[str, str]) -> Plane:
    """The plane of these coordinates through the middle of the domain; beside it, if there is nothing in the middle."""
    others = [name for name in domain.names if name not in names]
    middle = {name: sum(domain[name]) / 2 for name in others}
    best = Plane(domain, names, middle)
    most = best.share(24)
    if most >= SMALLEST_SHARE:
        return best
    for fixed in _near_the_middle(domain, middle):
        plane = Plane(domain, names, fixed)
        if (share := plane.share(24)) > most:
            best, most = plane, share
        if most >= SMALLEST_SHARE:
            break
    return best


def _near_the_middle(domain: Domain, middle: Mapping[str, float]) -> Iterator[dict[str, float]]:
    """Coordinates of points inside the domain, the nearest to the middle first."""
    x = domain.section({}).draw(64, kronecker)[:, [domain.names.index(name) for name in middle]]
    sides = torch.tensor([domain[name][1] - domain[name][0] for name in middle], dtype=torch.float64)
    away = ((x - x.new_tensor(list(middle.values()))) / sides).norm(dim=1)
    for row in x[away.argsort()].tolist():
        yield {**dict(zip(middle, row, strict=True)), **{name: middle[name] for name in middle if name == "t"}}


def triangulated(plane: Plane) -> tuple[Tensor, np.ndarray]:
    """Points (M, 2) of a section, and triangles (T, 3) between them."""
    sides = (plane.high - plane.low) / plane.units
    spacing = float((sides.prod() * max(plane.share(32), SMALLEST_SHARE) / GRID_POINTS).sqrt())
    n1, n2 = ((sides / spacing).round().long().clamp(12, 1000) + 1).tolist()
    x = plane.grid((n1, n2))
    inside = plane.contains(x.flatten(0, 1)).reshape(n1, n2)
    edge, kept = _edge(plane, x, inside)
    if set(plane.domain.spatial) == set(plane.names):
        crossings = edge[:0] if plane.equal else edge  # else short sides have too few points by length
        edge = torch.cat([_boundary(plane), _corners(plane), crossings])
    points = torch.cat([x[kept], edge])
    return points, triangles(plane, points, grid_points=int(kept.sum()))


def _edge(plane: Plane, x: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The points (M, 2) at which grid lines cross the boundary, and which grid points are not too near to them."""
    kept, crossings = inside.clone(), []
    for a, b in (((slice(-1), slice(None)), (slice(1, None), slice(None))),
                 ((slice(None), slice(-1)), (slice(None), slice(1, None)))):  # fmt: skip
        crosses = inside[a] != inside[b]
        first = inside[a][crosses, None]  # whether the inner end is the first
        within = torch.where(first, x[a][crosses], x[b][crosses])
        without = torch.where(first, x[b][crosses], x[a][crosses])
        share = bisected(plane.contains, within, without)
        crossings.append(within + share[:, None] * (without - within))
        near = torch.zeros_like(crosses)
        near[crosses] = share < TOO_NEAR
        kept[a] &= ~(near & inside[a])
        kept[b] &= ~(near & inside[b])
    return torch.cat(crossings), kept


def bisected(contains: Inside, within: Tensor, without: Tensor, halvings: int = BISECTIONS) -> Tensor:
    """How far one can go from points inside towards points outside, (M, K) each, until the domain ends: shares (M,)."""
    low = torch.zeros(len(within), dtype=within.dtype)
    for i in range(1, halvings + 1):
        trial = low + 0.5**i
        inside = contains(within + trial[:, None] * (without - within))
        low = torch.where(inside, trial, low)
    return low


def _boundary(plane: Plane) -> Tensor:
    """Points (M, 2) of the boundary of a domain of two coordinates in space, evenly spread along it."""
    columns = [plane.domain.names.index(name) for name in plane.names]
    found = []
    for piece in plane.domain.boundary().pieces:
        n = round(EDGE_POINTS / max(piece.share, SMALLEST_SHARE))
        unit = kronecker(piece.dimension, n)
        unit[:, 0] = (torch.arange(n, dtype=unit.dtype) + 0.5) / n
        x, taken = piece.tried(unit)
        found.append(x[taken][:, columns])
    return torch.cat(found)


def _corners(plane: Plane) -> Tensor:
    """The corners of the bounding box that belong to the domain."""
    corners = plane.grid((2, 2)).flatten(0, 1)
    return corners[plane.contains(corners)]


def triangles(plane: Plane, points: Tensor, grid_points: int = 0) -> np.ndarray:
    """The Delaunay triangles (T, 3) of points (M, 2) that lie in the domain: their middles, and those of their sides.

    The middles of sides are moved inward by a twelfth of the height, as chords of a round hole lie in the hole.
    Triangles of the first points only, those of a grid inside an edge, lie in the domain.
    """
    scaled = (points / plane.units).numpy()
    if len(points) < 3 or np.linalg.matrix_rank(scaled - scaled[0], tol=1e-12 * np.abs(scaled).max()) < 2:
        return np.empty((0, 3), dtype=np.int64)
    found = Triangulation(*scaled.T).triangles
    doubtful = np.flatnonzero((found >= grid_points).any(1))
    corners = points[torch.from_numpy(found[doubtful]).long()]  # (T, 3, 2)
    middle = corners.mean(1, keepdim=True)
    sides = (corners + corners.roll(1, 1)) / 2
    tried = torch.cat([middle, sides + 0.25 * (middle - sides)], 1)
    outside = ~plane.contains(tried.flatten(0, 1)).reshape(-1, 4).all(1).numpy()
    return np.delete(found, doubtful[outside], axis=0)
