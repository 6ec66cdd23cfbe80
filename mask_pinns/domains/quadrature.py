"""`Quadrature`, nodes and weights in space at each time: the place of a condition on an integral.

    integral of f over space  ~  sum over nodes q of  w_q f(x_q)

A box, and a wall that is one, has Gauss-Legendre nodes in each coordinate. Other pieces have evenly spread points x_q,
whose weights differ as little as possible from measure / R and integrate polynomials as many more points do (moment
fitting: Huybrechs 2009, doi 10.1016/j.cam.2009.03.018). Curves are divided into equal lengths.

Legend: R nodes, N times, D coordinates, K polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains.interior import Space, TriedPiece
from mask_pinns.domains.places import Piece, Place, Sample, kronecker
from mask_pinns.domains.points import Points

GAUSS_NODES = {0: 1, 1: 32, 2: 16, 3: 10, 4: 5, 5: 3, 6: 3}
"""Gauss-Legendre nodes in each coordinate, by the number of coordinates; more coordinates have evenly spread points."""
EVEN_NODES = 1000
"""Number of evenly spread points."""
REFERENCE_NODES = 2**16
"""Number of candidates by which polynomials are integrated."""
DEGREE = 6
"""Highest degree of the polynomials; there are at most a tenth as many as nodes."""
MOST_CANDIDATES = 2**22
"""Largest number of candidates that are tried for nodes on a piece."""
FEWEST_TIMES = 16
"""Number of times at which an integral is taken, at least, unless the user says otherwise."""


@dataclass(frozen=True, eq=False)
class Quadrature(Place):
    """R nodes at each of N times: points (R N, D), node after node. Without time, N is one.

    Attributes:
        names: the D coordinates.
        nodes: nodes (R, D), whose time has no meaning; float64.
        weights: their weights (R,), which add up to `measure`.
        outward: the outward unit normals (R, D) at the nodes; None inside the domain.
        times: the ends of time; None for a domain without time.
    """

    names: tuple[str, ...]
    nodes: Tensor
    weights: Tensor
    outward: Tensor | None
    times: tuple[float, float] | None
    _tables: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def measure(self) -> float:
        """The length, area, ..., of what is integrated over; the number of points, if it is points."""
        return float(self.weights.sum())

    def __len__(self) -> int:
        return len(self.nodes)

    def usual(self, n: int) -> int:
        return 1 if self.times is None else min(n, max(FEWEST_TIMES, 10 * n // len(self)))

    def draw(self, n: int, sample: Sample) -> Tensor:
        unit = sample(int(self.times is not None), n)
        count = 1 if self.times is None else len(unit)
        x = self._like(unit)[0].unsqueeze(1).repeat(1, count, 1)  # (R, N, D)
        if self.times is not None:
            low, high = self.times
            x[:, :, self.names.index("t")] = low + (high - low) * unit[:, 0]
        return x.flatten(0, 1)

    def normals(self, x: Tensor) -> Mapping[str, float | Tensor]:
        if self.outward is None:
            return super().normals(x)
        columns = self._like(x)[2].unsqueeze(1).expand(-1, len(x) // len(self), -1).flatten(0, 1).unbind(1)
        return dict(zip(self.names, columns, strict=True))

    def integral(self, values: Tensor) -> Tensor:
        """The integrals (N,) of values (R N,) at the points."""
        weights: Tensor = self._like(values)[1]
        return weights @ values.unflatten(0, (len(self), -1))

    def instants(self, x: Tensor) -> Tensor:
        """The times (N, 1) of points (R N, D); (N, 0) without time."""
        first = x[: len(x) // len(self)]
        return first[:, :0] if self.times is None else first[:, self.names.index("t"), None]

    def _like(self, x: Tensor) -> Any:
        """Nodes, weights and normals in the dtype and on the device of x; made once."""
        key = x.dtype, x.device
        if key not in self._tables:
            tables = self.nodes, self.weights, self.outward
            with torch.inference_mode(False):  # those of a validation are trained on later
                self._tables[key] = tuple(None if table is None else table.to(x.device, x.dtype) for table in tables)
        return self._tables[key]


def quadrature(space: Space, pieces: Sequence[Piece], nodes: int | None, duration: float = 0.0) -> Quadrature:
    """A quadrature over pieces of a domain, or of its boundary, with about this number of nodes on each of them.

    `duration` is the length of time that pieces reach through, 0 if their points have one time.
    Raises ValueError for a domain that changes with time.
    """
    times = space["t"] if "t" in space.names and "t" not in space.spatial else None
    if times is not None:
        _require_still(space, times)
    rules = [_gauss(space, piece, nodes) or _evenly_spread(space, piece, nodes, duration) for piece in pieces]
    normals = [_normals(space, piece, x) for piece, (x, _) in zip(pieces, rules, strict=True)]
    outward = [n for n in normals if n is not None]
    x, weights = (torch.cat(parts) for parts in zip(*rules, strict=True))
    return Quadrature((), space.names, x, weights, torch.cat(outward) if outward else None, times)


def _require_still(space: Space, times: tuple[float, float]) -> None:
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in (space.low, space.high))
    x = low + (high - low) * kronecker(len(space.names), 2**10)
    inside = []
    for time in (times[0], sum(times) / 2, times[1]):
        x[:, space.names.index("t")] = time
        inside.append(space.contains(Points(x, space.names)))
    if not all(torch.equal(inside[0], other) for other in inside):
        raise ValueError(f"{space!r} changes with time; an integral is over the same part of space at all times")


def _normals(space: Space, piece: Piece, x: Tensor) -> Tensor | None:
    """The outward unit normals (R, D) at points of a piece; None inside the domain."""
    given = piece.normal_at(x)
    if not given:
        return None
    columns = [torch.as_tensor(given.get(name, 0.0)).to(x).expand(len(x)) for name in space.names]
    return torch.stack(columns, 1)


def _gauss(space: Space, piece: Piece, nodes: int | None) -> tuple[Tensor, Tensor] | None:
    """Gauss-Legendre nodes (R, D) and weights (R,); None for a piece that is no box, or has too many coordinates."""
    edges = piece.edges
    free = [c for c in edges or () if c in space.spatial]
    if edges is None or len(free) not in GAUSS_NODES:
        return None
    each = GAUSS_NODES[len(free)] if nodes is None or not free else int(nodes ** (1 / len(free)) + 1e-9)
    ends, parts = (torch.from_numpy(a) / 2 for a in np.polynomial.legendre.leggauss(each))
    unit = torch.zeros(each ** len(free), len(edges), dtype=torch.float64)
    weights = torch.ones(len(unit), dtype=torch.float64)
    index = torch.arange(len(unit))
    for c in free:
        unit[:, list(edges).index(c)] = 0.5 + ends[index % each]
        weights = weights * parts[index % each] * (edges[c][1] - edges[c][0])
        index = index // each
    return piece.points(unit), weights


def _evenly_spread(space: Space, piece: Piece, nodes: int | None, duration: float) -> tuple[Tensor, Tensor]:
    """Evenly spread nodes (R, D), and weights (R,) that integrate polynomials as many more points do."""
    is_curve = piece.dimension - (duration > 0) <= 1
    x = _spread(piece, nodes or EVEN_NODES, is_curve)
    many = _spread(piece, max(REFERENCE_NODES, 4 * len(x)), is_curve)
    if piece.edges is None:
        assert isinstance(piece, TriedPiece)
        measure = piece.measure / (duration or 1.0)
    else:
        measure = math.prod(high - low for c, (low, high) in piece.edges.items() if c in space.spatial)
    return x, measure * _fitted(*((_in_space(space, y), _normals(space, piece, y)) for y in (x, many)))


def _in_space(space: Space, x: Tensor) -> Tensor:
    """The coordinates of points (N, D) without time."""
    return x[:, [space.names.index(c) for c in space.spatial]]


def _spread(piece: Piece, n: int, is_curve: bool) -> Tensor:
    """About n points (n, D) of a piece: a Kronecker sequence, or equal steps along a curve."""
    count = math.ceil(n / piece.share)
    while True:
        unit = kronecker(piece.dimension, min(count, MOST_CANDIDATES))
        if is_curve and piece.dimension:
            steps = torch.arange(len(unit), dtype=torch.float64)[:, None] + 0.5
            unit = torch.cat([steps / len(unit), torch.full_like(unit[:, 1:], 0.5)], 1)
        x, taken = piece.tried(unit)
        if taken.any():
            return x[taken]
        if count >= MOST_CANDIDATES:
            raise ValueError(f"no nodes were found on {piece!r}: it is too small a part of its surroundings")
        count *= 2


Located = tuple[Tensor, Tensor | None]
"""Points (N, D) and the normals (N, D) at them, if there are any."""


def _fitted(nodes: Located, many: Located) -> Tensor:
    """Weights (R,) of nodes, nearest to 1 / R, with which polynomials have their mean over many points.

    Polynomials times components of normals have it too: so have fluxes. The degree is the highest, up to DEGREE, at
    which there are few enough of them and all weights are positive.
    """
    x, reference = nodes[0], many[0]
    equal = x.new_full((len(x),), 1 / len(x))
    low, high = reference.amin(0), reference.amax(0)
    half = torch.where(high > low, (high - low) / 2, 1.0)
    for degree in range(DEGREE, 0, -1):
        kinds = 1 if nodes[1] is None else 1 + nodes[1].shape[1]
        if 10 * kinds * math.comb(x.shape[1] + degree, degree) > len(x):
            continue
        powers, of_many = (_polynomials((y - (low + high) / 2) / half, n, degree) for y, n in (nodes, many))
        gap = of_many.mean(0) - equal @ powers
        weights = equal + torch.linalg.pinv(powers.T, rtol=1e-10) @ gap
        if weights.min() > 0:
            return weights
    return equal


def _polynomials(x: Tensor, normals: Tensor | None, degree: int) -> Tensor:
    """All products (N, K) of at most `degree` coordinates of points (N, D), also times the components of normals."""
    products = (c for d in range(degree + 1) for c in combinations_with_replacement(range(x.shape[1]), d))
    powers = torch.stack([x[:, list(columns)].prod(1) for columns in products], 1)
    return powers if normals is None else torch.cat([powers, *(powers * n[:, None] for n in normals.unbind(1))], 1)
