"""`surface`: squares on the boundary of a domain of three coordinates in space, and `hexahedra`, cells that fill it.

Legend: M points, S squares, C cells, D coordinates of the domain.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains import Domain, Points
from mask_pinns.pictures.planes import bisected

SURFACE_INTERVALS = 32
"""Number of grid intervals along the longest side, of which a surface is made."""
CORNERS = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))
"""The corners of a hexahedron in the order of VTK."""


def lifted(domain: Domain, x: Tensor, time: float | None) -> Tensor:
    """Points (M, K) in space as points (M, D) of the domain."""
    columns = dict(zip(domain.spatial, x.unbind(1), strict=True))
    if time is not None:
        columns["t"] = torch.full((len(x),), time, dtype=x.dtype)
    return torch.stack([columns[name] for name in domain.names], 1)


def middle_of_time(domain: Domain) -> float | None:
    return sum(domain["t"]) / 2 if "t" in domain.names else None


def grid(domain: Domain, intervals: int, beyond: int = 0) -> Tensor:
    """A grid (n1, n2, n3, 3) over the bounding box in space with so many intervals on its longest side.

    `beyond` is the number of intervals by which it is larger at each end.
    """
    axes = []
    for low, high in (domain[name] for name in domain.spatial):
        n = max(8, round(intervals * (high - low) / domain.size))
        step = (high - low) / n
        axes.append(torch.linspace(low - beyond * step, high + beyond * step, n + 1 + 2 * beyond, dtype=torch.float64))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def contained(domain: Domain, x: Tensor) -> Tensor:
    """Whether points (..., 3) in space lie in the domain, (...)."""
    points = lifted(domain, x.reshape(-1, 3), middle_of_time(domain))
    return domain.contains(Points(points, domain.names)).reshape(x.shape[:-1])


def surface(domain: Domain) -> tuple[Tensor, np.ndarray]:
    """Points (M, 3) on the surface of a domain of three coordinates in space, and squares (S, 4) between them.

    Surface nets (Gibson 1998): each grid cell that the boundary crosses has one point, the mean of the places where it
    crosses the cell's sides; each side that it crosses has a square between the points of the four cells around it.
    """
    x = grid(domain, SURFACE_INTERVALS, beyond=1)
    inside = contained(domain, x)
    total, count = torch.zeros_like(x), torch.zeros_like(x[..., :1])
    squares = []
    for axis in range(3):
        at, places = _crossings(domain, x, inside, axis)
        around = [at - shift for shift in _beside(axis)]  # the four cells that share a side
        for cell in around:
            total.index_put_(cell.unbind(1), places, accumulate=True)
            count.index_put_(cell.unbind(1), torch.ones_like(places[:, :1]), accumulate=True)
        squares.append(torch.stack(around, 1))
    used = count[..., 0] > 0
    corners = _numbered(used)[torch.cat(squares).unbind(-1)]
    return (total / count.clamp(min=1))[used], corners.numpy()


def _crossings(domain: Domain, x: Tensor, inside: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The sides of cells along an axis that the boundary crosses, as indices (S, 3), and where it does, (S, 3)."""
    n = inside.shape[axis] - 1
    first, second = inside.narrow(axis, 0, n), inside.narrow(axis, 1, n)
    crosses = first != second
    ends = x.narrow(axis, 0, n)[crosses], x.narrow(axis, 1, n)[crosses]
    within, without = (torch.where((first[crosses] == kept)[:, None], *ends) for kept in (True, False))
    share = bisected(lambda y: contained(domain, y), within, without, halvings=5)
    return crosses.nonzero(), within + share[:, None] * (without - within)


def _beside(axis: int) -> Tensor:
    """The four shifts (4, 3) from the cells around a side along an axis, in a circle, to the side."""
    shifts = torch.zeros(4, 3, dtype=torch.long)
    shifts[:, [i for i in range(3) if i != axis]] = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]])
    return shifts


def _numbered(chosen: Tensor) -> Tensor:
    """The number of each entry among those that are chosen, -1 for the others."""
    number = torch.full(chosen.shape, -1)
    number[chosen] = torch.arange(int(chosen.sum()))
    return number


def hexahedra(inside: Tensor) -> np.ndarray:
    """Cells (C, 8) of a grid all of whose corners are inside (n1, n2, n3), as numbers among the points that are."""
    n = [size - 1 for size in inside.shape]
    number = _numbered(inside)
    corners = [number[i : i + n[0], j : j + n[1], k : k + n[2]] for i, j, k in CORNERS]
    cells = torch.stack(corners, -1).reshape(-1, 8)
    return cells[(cells >= 0).all(1)].numpy()
