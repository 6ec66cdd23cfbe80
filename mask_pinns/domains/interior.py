"""`InteriorPiece`, the inside of a domain and its sections, and `TriedPiece`, what it shares with parts of boundaries.

Points are drawn in the bounding box, and those that do not belong to the piece are left out: the rest is spread as
evenly.

Legend: N points, D coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from mask_pinns.domains.places import Image, Piece, kronecker, same_points
from mask_pinns.domains.points import Points
from mask_pinns.domains.surfaces import Solid

TRIALS = (2**10, 2**14, 2**18)
"""Numbers of fixed candidates by which the share of a piece is estimated: the next if one finds fewer than 16."""
COINCIDENCE = 1e-9
"""Largest distance between surfaces that are the same, relative to the size of the domain."""
MOST_OF_ALL = 1 - 1e-9
"""Largest share of a piece whose candidates are tried: the few that are not found by fixed candidates."""


class Space(Protocol):
    """What pieces ask of a domain."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def low(self) -> tuple[float, ...]: ...

    @property
    def high(self) -> tuple[float, ...]: ...

    @property
    def size(self) -> float: ...

    def scale(self, name: str) -> float: ...

    @property
    def spatial(self) -> tuple[str, ...]: ...

    def contains(self, p: Points) -> Tensor: ...

    def distance(self, p: Points) -> Tensor: ...

    def __getitem__(self, name: str) -> tuple[float, float]: ...


class TriedPiece(Piece):
    """The base class of pieces whose candidates are tried: share and measure by fixed candidates."""

    domain: Space
    whole: float
    """The measure of all candidates."""

    @cached_property
    def share(self) -> float:  # type: ignore[override]
        """The share of candidates that belong to the piece; 0 if none was found."""
        return next(found for n in TRIALS if (found := self.found(n)) * n >= 16 or n == TRIALS[-1])

    def found(self, n: int) -> float:
        """The share of n fixed candidates that belong to the piece."""
        return min(float(self.tried(kronecker(self.dimension, n))[1].double().mean()), MOST_OF_ALL)

    @property
    def measure(self) -> float:
        """Its length, area, ..., estimated by fixed candidates."""
        share = self.found(TRIALS[-1]) if self.found(TRIALS[1]) < MOST_OF_ALL else MOST_OF_ALL
        return self.whole * (1.0 if share == MOST_OF_ALL else share)

    def mirrored(self, name: str) -> Piece:
        return Image(self, self.domain.names.index(name), sum(self.domain[name]))

    def coincides(self, other: Piece) -> bool:
        return isinstance(other, TriedPiece | Image) and same_points(self, other)

    def _points(self, x: Tensor) -> Points:
        return Points(x, self.domain.names)


@dataclass(frozen=True, eq=False)
class InteriorPiece(TriedPiece):
    """The points of a domain at which some coordinates have fixed values; all of it if there are none.

    `solid` gives candidates in some coordinates that fill the domain better than its bounding box.
    """

    domain: Space
    fixed: Mapping[str, float]
    solid: Solid | None = None
    normal: Mapping[str, float] = field(default_factory=dict)

    @property
    def free(self) -> list[str]:
        inside = self._solid.names if self._solid else ()
        return [name for name in self.domain.names if name not in self.fixed and name not in inside]

    @property
    def _solid(self) -> Solid | None:
        if self.solid is None or set(self.solid.names) & set(self.fixed):
            return None
        box = math.prod(self.domain[name][1] - self.domain[name][0] for name in self.solid.names)
        return self.solid if self.solid.measure < box else None

    @property
    def dimension(self) -> int:
        return len(self.free) + (self._solid.dimension if self._solid else 0)

    @property
    def whole(self) -> float:  # type: ignore[override]
        lengths = [high - low for low, high in (self.domain[name] for name in self.free)]
        return math.prod(lengths) * (self._solid.measure if self._solid else 1.0)

    def points(self, unit: Tensor) -> Tensor:
        columns = {name: unit.new_full((len(unit),), value) for name, value in self.fixed.items()}
        for i, name in enumerate(self.free):
            low, high = self.domain[name]
            columns[name] = low + (high - low) * unit[:, i]
        if self._solid:
            columns |= dict(
                zip(self._solid.names, self._solid.points(unit[:, len(self.free) :]).unbind(1), strict=True)
            )
        return torch.stack([columns[name] for name in self.domain.names], 1)

    def tried(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        x = self.points(unit)
        return x, self.holds(x)

    def holds(self, x: Tensor) -> Tensor:
        at = [
            (x[:, i] - self.fixed[c]).abs() <= COINCIDENCE * self.domain.scale(c)
            for i, c in enumerate(self.domain.names) if c in self.fixed
        ]  # fmt: skip
        inside = self.domain.contains(self._points(x))
        if set(self.fixed) & set(self.domain.spatial):  # a section may lie in the boundary, and so may a single point
            inside = inside | (self.domain.distance(self._points(x)) >= -COINCIDENCE * self.domain.size)
        return torch.stack([inside, *at]).all(0)
