"""`Region`: coordinates, and the places that conditions, points, pictures and constraints ask a domain for.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from mask_pinns.domains.cuts import BoundaryPiece, Filter, SidePiece
from mask_pinns.domains.interior import TRIALS, InteriorPiece
from mask_pinns.domains.places import SIDES, Piece, Place, kronecker
from mask_pinns.domains.points import Points
from mask_pinns.domains.quadrature import quadrature
from mask_pinns.domains.surfaces import Bounds, Flat, Solid, Surface

UNBOUNDED = (-float("inf"), float("inf"))

LEAST_WALL = 1e-3
"""Least share of a side of the bounding box that is a wall; a curve that touches the side has less."""

SEAM = 1e-5
"""Distances below this, relative to the size of the domain, are zero."""

Where = Any
"""A place on the boundary: a coordinate's name, a shape, or a function of the points that selects a part."""


class Region(ABC):
    """Where a problem lives: any shape with named coordinates.

    Attributes:
        names: names of the D coordinates in order, single letters; `t`, if there is one, is time.
        low, high: the corners of the bounding box; infinite where a shape has no end.
        is_round: whether its boundary has no corners, so that its distance is smooth on all of it.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    label = ""
    is_round = False

    def __set_name__(self, owner: type, name: str) -> None:
        """A shape that is an attribute of a problem is called by the attribute's name."""
        self.label = self.label or name

    def __getitem__(self, name: str) -> tuple[float, float]:
        """(low, high) of one coordinate. Raises ValueError for a name that the domain does not have."""
        if name not in self.names:
            raise ValueError(f"the domain has no coordinate {name!r}; it has {', '.join(self.names)}")
        i = self.names.index(name)
        return self.low[i], self.high[i]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def time(self, x: Tensor) -> Tensor | None:
        """The time (N,) of points (N, D); None for a domain without time."""
        return x[:, self.names.index("t")] if "t" in self.names else None

    @property
    def spatial(self) -> tuple[str, ...]:
        """The coordinates without time; time itself if there is nothing else."""
        return tuple(name for name in self.names if name != "t") or self.names

    @property
    def size(self) -> float:
        """The longest side of its bounding box in space."""
        return max(self[name][1] - self[name][0] for name in self.spatial)

    def scale(self, name: str) -> float:
        """What lengths along a coordinate are compared with: the size in space, the length of time."""
        return self.size if name in self.spatial else self[name][1] - self[name][0]

    # ---- what a shape says of itself ------------------------------------------------------------------------

    @abstractmethod
    def contains(self, p: Any) -> Tensor:
        """Whether points lie inside or on the boundary, (N,); p: Points with these coordinates, maybe more."""

    @abstractmethod
    def distance(self, p: Any) -> Any:
        """A smooth function (N,), positive inside, zero on the boundary with slope 1, negative outside.

        p: Points, or points with derivatives (`JetPoints`). It is about the distance in space near the boundary.
        """

    @property
    def is_smooth(self) -> bool:
        """Whether its distance has derivatives, so that conditions on it can be made exact."""
        return True

    @abstractmethod
    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        """The surfaces of its boundary in space, each with the sign of its normals, inside a bounding box."""

    def solid(self) -> Solid | None:
        """Candidates for interior points that fill it better than its bounding box; None: there are none."""
        return None

    def factor(self, p: Any, length: float) -> Any:
        """A smooth function, zero on the boundary, below 1 inside; it has a slope of about 1 / length there."""
        distance = self.distance(p)
        return distance / (distance + length)

    def outer_factor(self, p: Any, length: float) -> Any:
        """The same for points outside."""
        distance = -self.distance(p)
        return distance / (distance + length)

    # ---- places ---------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """All but the places, which follow from the rest and may contain functions that cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "_places"}

    @cached_property
    def _places(self) -> dict[Any, Place]:
        return {}

    def _kept(self, key: Any, make: Callable[[], Place]) -> Place:
        """A place that is made once: it takes many points to find out how much of a surface belongs to it."""
        if key not in self._places:
            self._places[key] = make()
        return self._places[key]

    def section(self, fixed: Mapping[str, float]) -> Place:
        """The points whose coordinates in `fixed` have these values; the whole interior if `fixed` is empty.

        Raises ValueError if there are none.
        """

        def make() -> Place:
            piece = InteriorPiece(self, dict(fixed), self.solid())
            if not piece.share:
                thin = f", or less than one part in {TRIALS[-1]:,} of its bounding box"
                at = ", ".join(f"{name} = {value:g}" for name, value in fixed.items())
                raise ValueError(f"{self!r} has no points at {at}" if at else f"{self!r} is empty{thin}")
            return Place(((piece,),))

        return self._kept(("section", *fixed.items()), make)

    def boundary(self, *where: Where, side: str = "both", paired: bool = False) -> Place:
        """Parts of the boundary in space: a piece for each wall across a coordinate, and for each shape.

        Args:
            where: names of coordinates (the ends of the bounding box across them), shapes (what belongs to both
                boundaries), and functions of the points, all of which must select a point; without names and shapes,
                they select from the whole boundary.
            side: a key of SIDES, for coordinates.
            paired: whether points on the two walls across a coordinate form pairs.

        Raises ValueError for a part that does not belong to the boundary.
        """
        return self._kept(("boundary", where, side, paired), lambda: self._boundary(where, side, paired))

    def interface(self, shape: Region) -> Place:
        """The surfaces of a shape in the interior, in pairs of points on their two sides: inside of it, and outside.

        Raises ValueError if there are none.
        """

        def make() -> Place:
            surfaces = self._surfaces_of(shape)
            sides = tuple(SidePiece(self, surfaces, shape=shape, side=side) for side in (-1.0, 1.0))
            if not all(side.share for side in sides):
                raise ValueError(f"no part of {shape!r} lies in the interior of the domain {self!r}")
            return Place((sides,))

        return self._kept(("interface", shape), make)

    def quadrature(self, *where: Where, nodes: int | None = None) -> Place:
        """The nodes of a quadrature in space at each time, over all of the domain, or over parts of its boundary.

        Args:
            where: as for `boundary`; nothing for all of the domain.
            nodes: about how many nodes each piece has; None for a number that suits it.

        Raises ValueError for a part that does not belong to the boundary, and for a domain that changes with time.
        """

        def make() -> Place:
            start, end = self["t"] if "t" in self.names and "t" not in self.spatial else (0.0, 0.0)
            if where:
                return quadrature(self, self.boundary(*where).pieces, nodes, end - start)
            return quadrature(self, self.section({"t": start} if start < end else {}).pieces, nodes)

        return self._kept(("quadrature", where, nodes), make)

    def _boundary(self, where: Sequence[Where], side: str, paired: bool) -> Place:
        filters = tuple(w for w in where if not isinstance(w, str | Region))
        if filters and "t" in where:
            raise ValueError("a function of the points selects parts of a boundary in space, not of the ends of t")
        shapes = [w for w in where if isinstance(w, str | Region)] or [self]
        groups: list[tuple[Piece, ...]] = []
        for item in shapes:
            if isinstance(item, str):
                walls = tuple(self._wall(item, end, filters) for end in SIDES[side])
                groups += [walls] if paired else [(wall,) for wall in walls]
            else:
                groups.append((self._on_shape(item, filters),))
        return Place(tuple(groups))

    def _wall(self, name: str, end: int, filters: tuple[Filter, ...]) -> Piece:
        if name not in self.spatial:
            across, outward = self[name][end], (-1.0, 1.0)[end]
            return InteriorPiece(self, {name: across}, self.solid(), {name: outward})
        bounds, outward = {c: self[c] for c in self.spatial}, (-1.0, 1.0)[end]
        flat = Flat(bounds, name, self[name][end], outward)
        wall = BoundaryPiece(self, ((flat, 1.0),), filters, {name: outward})
        if not filters and 0 < wall.share < LEAST_WALL:
            raise ValueError(f"the domain {self!r} only touches {name} = {self[name][end]:g}: name its shape instead")
        return self._found(wall, f"{name} = {self[name][end]:g}", filters)

    def _on_shape(self, shape: Region, filters: tuple[Filter, ...]) -> Piece:
        surfaces = self._surfaces_of(shape)
        if shape is self:
            return self._found(BoundaryPiece(self, surfaces, filters), "its boundary", filters)
        inner = BoundaryPiece(self, surfaces, filters, shape=shape)
        outer = BoundaryPiece(self, tuple((surface, -sign) for surface, sign in surfaces), filters, shape=shape)
        for n in TRIALS[1:]:  # enough to find a small part on the other side
            kept = [piece for piece in (inner, outer) if piece.found(n)]
            if len(kept) == 2:  # the domain lies inside of one part of the shape, and outside of another
                return BoundaryPiece(self, (*inner.surfaces, *outer.surfaces), filters, shape=shape)
            if kept:
                return kept[0]
        return self._found(inner, repr(shape), filters)

    def _surfaces_of(self, shape: Region) -> tuple[tuple[Surface, float], ...]:
        if strange := [c for c in shape.spatial if c not in self.names]:
            raise ValueError(f"{shape!r} has the coordinate {strange[0]}; the domain has {', '.join(self.names)}")
        if "t" in shape and "t" in self and shape["t"] != self["t"] and shape.names != ("t",):
            raise ValueError(f"{shape!r} has other times than the domain: leave t out of it")
        return tuple(shape.surfaces({c: self[c] for c in self.spatial}))

    def divides(self, shape: Region) -> bool:
        """Whether the distance of a shape is zero in the interior: on its boundary, or on a seam of its parts."""
        piece = SidePiece(self, self._surfaces_of(shape))
        x, inside = piece.tried(kronecker(piece.dimension, TRIALS[1]))
        near = shape.distance(Points(x, self.names)).abs() <= SEAM * self.size
        return bool((near & inside).double().mean() > LEAST_WALL)  # a few lie near corners

    def _found(self, piece: BoundaryPiece, what: str, filters: Sequence[Filter]) -> Piece:
        if not piece.share:
            part = "no part that the function selects" if filters else "no part"
            raise ValueError(f"{part} of {what} belongs to the boundary of the domain {self!r}")
        return piece

    @property
    def measure(self) -> float:
        """Its length, area, volume, ..., times the time."""
        piece = InteriorPiece(self, {}, self.solid())
        return piece.measure

    # ---- checks ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises ValueError for a domain without end, an empty one, and shapes taken away where there is nothing."""
        for name in self.names:
            if not all(map(math.isfinite, self[name])):
                raise ValueError(f"{self!r} has no end along {name}: combine it with a Box: `& Box({name}=(0.0, 1.0))`")
            if not self[name][0] < self[name][1]:
                raise ValueError(f"{self!r} is empty: nothing is left along {name}")
        self.section({})
