"""`Box`, the axis-parallel domain, and `Face`, a part of it on which a condition holds.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from mask_pinns.checks import is_finite, is_number
from mask_pinns.domains.domain import Domain, both, product
from mask_pinns.domains.interior import COINCIDENCE
from mask_pinns.domains.places import SIDES, Piece, Place
from mask_pinns.domains.points import Points
from mask_pinns.domains.surfaces import Bounds, Flat, Surface

MIN_RELATIVE_WIDTH = 1e-12
"""Least width of a domain, relative to its largest coordinate: below it, points coincide in float64."""


class Box(Domain):
    """An axis-parallel domain with named coordinates: `Box(x=(0, 1), t=(0, 5))`.

    Coordinates are single letters, in the order of the arguments; `t`, if there is one, is time.

    Example:
        >>> from mask_pinns import Box
        >>> domain = Box(x=(0, 1), t=(0, 5))
        >>> domain["t"], domain.names
        ((0.0, 5.0), ('x', 't'))

    Raises:
        ValueError: no coordinate, a name that is not one letter, bounds that are not low < high and finite.
    """

    def __init__(self, **bounds: tuple[float, float]) -> None:
        if not bounds:
            raise ValueError("a Box needs at least one coordinate, e.g. Box(x=(0.0, 1.0))")
        for name, pair in bounds.items():
            if len(name) != 1 or not name.isalpha():
                raise ValueError(f"coordinate {name!r} of the Box: a coordinate is a single letter, e.g. x")
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_number, pair))):
                raise ValueError(f"coordinate {name!r} of the Box: expected (low, high), two numbers, got {pair!r}")
            if not (all(map(is_finite, pair)) and pair[0] < pair[1]):
                raise ValueError(f"coordinate {name!r} of the Box: expected finite low < high, got {tuple(pair)}")
            if not MIN_RELATIVE_WIDTH * max(map(abs, pair)) < pair[1] - pair[0] < float("inf"):
                raise ValueError(
                    f"coordinate {name!r} of the Box: no points fit between {pair[0]} and {pair[1]}; choose other units"
                )
        self.names: tuple[str, ...] = tuple(bounds)
        self.low: tuple[float, ...] = tuple(float(a) for a, _ in bounds.values())
        self.high: tuple[float, ...] = tuple(float(b) for _, b in bounds.values())

    def __repr__(self) -> str:
        return f"Box({', '.join(f'{n}={self[n]}' for n in self.names)})"

    def section(self, fixed: Mapping[str, float]) -> Place:
        return Place(((Face(self, dict(fixed)),),))

    def boundary(self, *where: Any, side: str = "both", paired: bool = False) -> Place:
        if not where or not all(isinstance(name, str) for name in where):
            return super().boundary(*where, side=side, paired=paired)
        return Place(tuple(tuple(self._face(name, end) for end in SIDES[side]) for name in where))

    def _face(self, name: str, end: int) -> Face:
        return Face(self, {name: self[name][end]}, {name: (-1.0, 1.0)[end]})

    def __and__(self, other: Domain) -> Domain:
        if not isinstance(other, Box):
            return super().__and__(other)
        bounds = {name: self[name] for name in self.names}
        for name in other.names:
            low, high = bounds.get(name, other[name])
            bounds[name] = max(low, other[name][0]), min(high, other[name][1])
        return Box(**bounds)

    def contains(self, p: Any) -> Tensor:
        inside = [(getattr(p, c) >= low) & (getattr(p, c) <= high) for c, low, high in self._ends()]
        return torch.stack(inside).all(0)

    def distance(self, p: Any) -> Any:
        """The R-conjunction of (x - a)(b - x) / (b - a) over the coordinates in space."""
        parts = [(getattr(p, c) - low) * (high - getattr(p, c)) / (high - low) for c, low, high in self._walls()]
        return reduce(both, parts)

    def factor(self, p: Any, length: float) -> Any:
        """The product of 4 (x - a)(b - x) / (b - a)^2."""
        return product(
            (getattr(p, c) - low) * (high - getattr(p, c)) * (4 / (high - low) ** 2) for c, low, high in self._walls()
        )

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        own = {name: self[name] for name in self.spatial}
        return [(Flat(own, c, self[c][end], (-1.0, 1.0)[end]), 1.0) for c in self.spatial for end in (0, 1)]

    def _ends(self) -> list[tuple[str, float, float]]:
        return list(zip(self.names, self.low, self.high, strict=True))

    def _walls(self) -> list[tuple[str, float, float]]:
        return [end for end in self._ends() if end[0] in self.spatial]

    @property
    def measure(self) -> float:
        return math.prod(high - low for _, low, high in self._ends())


@dataclass(frozen=True)
class Face(Piece):
    """The part of a box on which some coordinates are fixed and the others are free."""

    box: Box = field(compare=False)
    fixed: Mapping[str, float]
    normal: Mapping[str, float] = field(default_factory=dict)

    @property
    def free(self) -> list[str]:
        return [name for name in self.box.names if name not in self.fixed]

    @property
    def edges(self) -> Mapping[str, tuple[float, float]]:
        return {name: self.box[name] for name in self.free}

    @property
    def dimension(self) -> int:
        return len(self.free)

    def points(self, unit: Tensor) -> Tensor:
        free = {c: self.box[c][0] + (self.box[c][1] - self.box[c][0]) * unit[:, i] for i, c in enumerate(self.free)}
        columns = [free[c] if c in free else unit.new_full((len(unit),), self.fixed[c]) for c in self.box.names]
        return torch.stack(columns, 1)

    def holds(self, x: Tensor) -> Tensor:
        names = self.box.names
        at = [(x[:, names.index(c)] - v).abs() <= COINCIDENCE * self.box.scale(c) for c, v in self.fixed.items()]
        inside = self.box.contains(Points(x, names))
        return torch.stack([inside, *at]).all(0) if not self.fixed else torch.stack(at).all(0)

    def mirrored(self, name: str) -> Face:
        if name not in self.fixed:
            return self
        fixed = {**self.fixed, name: sum(self.box[name]) - self.fixed[name]}
        return Face(self.box, fixed, {c: -n if c == name else n for c, n in self.normal.items()})

    def coincides(self, other: Piece) -> bool:
        if not isinstance(other, Face) or self.fixed.keys() != other.fixed.keys() or self.normal != other.normal:
            return False
        return all(
            abs(value - other.fixed[c]) <= COINCIDENCE * (self.box[c][1] - self.box[c][0])
            for c, value in self.fixed.items()
        )
