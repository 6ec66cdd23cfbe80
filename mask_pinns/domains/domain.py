"""`Domain`, where a problem lives, and the combinations of domains: `a - b`, `a | b`, `a & b`, `union(...)`.

A domain has named coordinates. One that does not mention a coordinate reaches through all of it: a `Disk(x=0, y=0,
radius=1)` in a box of x, y, t is there at all times. Conditions, points, pictures and constraints ask a domain and do
not depend on its shape: for interior points and sections, parts of the boundary with outward normals and measure,
membership, and a smooth distance.

A combination's distance is made by R-functions (Rvachev 1982; Shapiro 2007), from distances a and b:

    a and b    a + b - sqrt(a^2 + b^2)          a or b    a + b + sqrt(a^2 + b^2)          not a    -a

which are smooth but at corners, and have slope 1 along the normals of each boundary if a and b have; where both share a
piece of boundary, it is another one.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains.cuts import BoundaryPiece
from mask_pinns.domains.places import kronecker
from mask_pinns.domains.points import Points
from mask_pinns.domains.region import UNBOUNDED, Region
from mask_pinns.domains.surfaces import Bounds, Solid, Surface

FEW = 8
"""Number of parts up to which a combination asks all of them."""


class Domain(Region):
    """Where a problem lives: a shape with named coordinates, which can be combined with others."""

    def __and__(self, other: Domain) -> Domain:
        return Intersection((self, other))

    def __or__(self, other: Domain) -> Domain:
        return Union((self, other))

    def __sub__(self, other: Domain) -> Domain:
        return Intersection((self, Complement(other)))

    def check(self) -> None:
        super().check()
        self._require_overlaps()

    def _require_overlaps(self) -> None:
        """Raises ValueError if a shape is removed, in any part, where there is nothing to remove."""


class Complement(Domain):
    """All that is outside of a shape; combined with others, `a - b` is `a & Complement(b)`."""

    def __init__(self, part: Domain) -> None:
        _check_shape(part)
        if "t" in part.names:
            raise ValueError(
                f"{part!r} mentions t: a shape that is taken away is there at all times; leave t out of it"
            )
        self.part, self.names, self.is_round = part, part.names, part.is_round
        self.low, self.high = zip(*(UNBOUNDED for _ in part.names), strict=True)

    def __repr__(self) -> str:
        return f"Complement({self.part!r})"

    def contains(self, p: Any) -> Tensor:
        return ~self.part.contains(p)

    def distance(self, p: Any) -> Any:
        return -self.part.distance(p)

    @property
    def is_smooth(self) -> bool:
        return self.part.is_smooth

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(surface, -sign) for surface, sign in self.part.surfaces(bounds)]

    def factor(self, p: Any, length: float) -> Any:
        return self.part.outer_factor(p, length)

    def outer_factor(self, p: Any, length: float) -> Any:
        return self.part.factor(p, length)


def _check_shape(part: Any) -> None:
    if not isinstance(part, Domain):
        raise ValueError(f"{part!r} is no shape; combine Box, Disk, Ball, Polygon, ... by - | &")


class _Combination(Domain):
    """The base class of combinations of several parts; parts that mention time agree on it."""

    def __init__(self, parts: Sequence[Domain]) -> None:
        for part in parts:
            _check_shape(part)
        flat = [inner for part in parts for inner in (part.parts if type(part) is type(self) else (part,))]
        self.parts: tuple[Domain, ...] = tuple(flat)
        self.names = tuple(dict.fromkeys(name for part in self.parts for name in part.names))
        ends = [self._ends([part[c] for part in self.parts if c in part]) for c in self.names]
        self.low, self.high = zip(*ends, strict=True)

    @abstractmethod
    def _ends(self, ends: Sequence[tuple[float, float]]) -> tuple[float, float]: ...

    def _require_overlaps(self) -> None:
        for part in self.parts:
            part._require_overlaps()

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [pair for part in self._in_space() for pair in part.surfaces(bounds)]

    def _near(self, p: Any) -> list[Domain]:
        """The parts that matter for points: all, or of many parts those whose bounding box the points' one meets."""
        if len(self.parts) < FEW or not len(p):
            return list(self.parts)
        x = torch.stack([getattr(p, name) for name in self.names], 1)
        low, high = torch.stack([x.amin(0), x.amax(0)]).double().cpu().numpy()
        meets = ((self._boxes[:, 0] <= high) & (low <= self._boxes[:, 1])).all(1)
        return [part for part, near in zip(self.parts, meets, strict=True) if near]

    @cached_property
    def _boxes(self) -> np.ndarray:
        """For each part the corners of a box outside of which it does not matter, (M, 2, D)."""
        shapes = [self._bounded(part) for part in self.parts]
        ends = [[shape[c] if shape is not None and c in shape else UNBOUNDED for c in self.names] for shape in shapes]
        boxes = np.array(ends).transpose(0, 2, 1)
        return boxes + 1e-6 * np.array([[-1.0], [1.0]]) * np.abs(boxes)  # a margin for single precision

    @abstractmethod
    def _bounded(self, part: Domain) -> Domain | None:
        """The shape outside of which a part does not matter."""

    @property
    def is_smooth(self) -> bool:
        return all(part.is_smooth for part in self.parts)

    def _in_space(self) -> list[Domain]:
        """The parts that are not time alone, if there are any."""
        return [part for part in self.parts if part.names != ("t",)] or list(self.parts)


class Intersection(_Combination):
    """What lies in all parts: `a & b`. Parts with different coordinates make a product: `disk & Box(t=(0, 1))`."""

    def __repr__(self) -> str:
        kept = [repr(part) for part in self.parts if not isinstance(part, Complement)]
        taken = [f" - {part.part!r}" for part in self.parts if isinstance(part, Complement)]
        return f"({' & '.join(kept)}{''.join(taken)})"

    def _ends(self, ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return max(low for low, _ in ends), min(high for _, high in ends)

    def contains(self, p: Any) -> Tensor:
        everywhere = torch.ones(len(p), dtype=torch.bool, device=getattr(p, self.names[0]).device)
        return reduce(torch.logical_and, (part.contains(p) for part in self._near(p)), everywhere)

    def _bounded(self, part: Domain) -> Domain | None:
        return part.part if isinstance(part, Complement) else None

    def distance(self, p: Any) -> Any:
        return reduce(both, (part.distance(p) for part in self._in_space()))

    def solid(self) -> Solid | None:
        return next((solid for part in self.parts if (solid := part.solid())), None)

    def factor(self, p: Any, length: float) -> Any:
        return product(part.factor(p, length) for part in self._in_space())

    def _require_overlaps(self) -> None:
        for part in (part.part for part in self.parts if isinstance(part, Complement)):
            for removed in part.parts if isinstance(part, Union) else (part,):
                self._require_overlap(removed)
        super()._require_overlaps()

    def _require_overlap(self, removed: Domain) -> None:
        if not all(math.isfinite(end) for c in self.spatial for end in self[c]):
            return  # a half plane, which is cut by other parts
        kept = [part for part in self.parts if not isinstance(part, Complement)]
        piece = BoundaryPiece(self, tuple(removed.surfaces({c: self[c] for c in self.spatial})))
        for n in (2**8, 2**16):
            x = piece.points(kronecker(piece.dimension, n))
            p = Points(x, self.names)
            if reduce(torch.logical_and, (part.contains(p) for part in kept)).any():
                return
        raise ValueError(f"{removed!r} lies outside of the rest of the domain {self!r}: there is nothing to take away")


class Union(_Combination):
    """What lies in any of the parts: `a | b`."""

    def __init__(self, parts: Sequence[Domain]) -> None:
        super().__init__(parts)
        if len({frozenset(part.names) for part in self.parts}) > 1 or len({p["t"] for p in self.parts if "t" in p}) > 1:
            raise ValueError(f"{self!r}: shapes in a union have the same coordinates, and the same time")

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.parts))})"

    def _ends(self, ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
        return min(low for low, _ in ends), max(high for _, high in ends)

    def contains(self, p: Any) -> Tensor:
        nowhere = torch.zeros(len(p), dtype=torch.bool, device=getattr(p, self.names[0]).device)
        return reduce(torch.logical_or, (part.contains(p) for part in self._near(p)), nowhere)

    def _bounded(self, part: Domain) -> Domain | None:
        return part

    def distance(self, p: Any) -> Any:
        return reduce(either, (part.distance(p) for part in self._in_space()))

    def outer_factor(self, p: Any, length: float) -> Any:
        return product(part.outer_factor(p, length) for part in self._in_space())


def union(*shapes: Domain | Iterable[Domain]) -> Domain:
    """The union of many shapes: `union(a, b)`, `union(Disk(x=x, y=0.0, radius=0.1) for x in (-1.0, 1.0))`.

    Example:
        >>> from mask_pinns import Disk, union
        >>> union(Disk(x=x, y=0.0, radius=0.1) for x in (-1.0, 1.0))["x"]
        (-1.1, 1.1)

    Raises ValueError if there are none.
    """
    parts = [shape for item in shapes for shape in (item if isinstance(item, Iterable) else [item])]
    for part in parts:
        _check_shape(part)
    if not parts:
        raise ValueError("union() of no shapes; give at least one")
    return parts[0] if len(parts) == 1 else Union(parts)


def both(a: Any, b: Any) -> Any:
    """The R-conjunction of two distances."""
    return a + b - torch.sqrt(a * a + b * b)


def either(a: Any, b: Any) -> Any:
    """The R-disjunction of two distances."""
    return a + b + torch.sqrt(a * a + b * b)


def product(factors: Iterable[Any]) -> Any:
    return reduce(lambda a, b: a * b, factors)
