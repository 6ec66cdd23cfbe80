"""The interface of domains: coordinates, bounding box, and the places where conditions hold.

A `Place` consists of `Piece`s: the interior, pieces of the boundary with their outward normals, sections (x = 0.5),
single points. Conditions, points, probes and checks use only these, and do not depend on the shape of a domain.

Legend: N points, D coordinates, R pieces of a place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SIDES = {"both": (0, 1), "low": (0,), "high": (1,)}
"""Ends of a coordinate, 0 the low one and 1 the high one, by the word that selects them."""


class Points:
    """N points: `p.x`, `p.t` are 1-D tensors of length N, `p.tensor` is all of them as (N, D).

    `p.x` is a copy: a function that changes it in place, `x = p.x; x *= pi`, does not move the points.
    """

    def __init__(self, tensor: Tensor, names: tuple[str, ...]) -> None:
        assert tensor.ndim == 2 and tensor.shape[1] == len(names), (tensor.shape, names)
        self.tensor = tensor
        self.names = names

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name in ("tensor", "names"):
            raise AttributeError(name)
        if name not in self.names:
            raise ValueError(f"p.{name}: no such coordinate; the problem has {', '.join(self.names)}")
        return self.tensor[:, self.names.index(name)].clone()

    def __len__(self) -> int:
        return len(self.tensor)


class Piece(ABC):
    """A part of a domain on which a condition holds.

    Attributes:
        normal: the components of the outward unit normal by coordinate, without zeros; empty inside the domain.
    """

    normal: Mapping[str, float]

    @property
    @abstractmethod
    def dimension(self) -> int:
        """The number of its free coordinates: one point takes this many random numbers."""

    @abstractmethod
    def points(self, unit: Tensor) -> Tensor:
        """Points (N, D) of the piece from samples (N, dimension) of the unit cube."""

    @abstractmethod
    def mirrored(self, name: str) -> Piece:
        """Its mirror image about the middle of a coordinate."""

    @abstractmethod
    def coincides(self, other: Piece) -> bool:
        """Whether both are the same part of the domain, up to rounding."""


@dataclass(frozen=True)
class Place:
    """Where a condition holds: R pieces, with equally many points on each.

    Pieces of a group share one sample of their free coordinates, so that points on opposite walls form pairs.
    """

    groups: tuple[tuple[Piece, ...], ...]

    @property
    def pieces(self) -> list[Piece]:
        """All pieces, in the order in which their points come."""
        return [piece for group in self.groups for piece in group]

    def __len__(self) -> int:
        return len(self.pieces)

    def draw(self, sample: Callable[[int], Tensor]) -> Tensor:
        """Points (R N, D), piece after piece; `sample(d)` gives samples (N, d) of the unit cube, one call per group."""
        blocks = []
        for group in self.groups:
            unit = sample(group[0].dimension)
            blocks += [piece.points(unit) for piece in group]
        return torch.cat(blocks)

    def check_points(self, like: Tensor, count: int = 2) -> Tensor:
        """A few fixed points inside every piece, (R count, D), in the dtype and on the device of `like`."""
        fractions = like.new_tensor([0.3 + 0.3 * i / max(1, count - 1) for i in range(count)])
        return self.draw(lambda dimension: fractions[:, None].expand(count, dimension))


class Domain(ABC):
    """The domain of a problem.

    Attributes:
        names: names of the D coordinates in order, single letters; `t`, if there is one, is time.
        low, high: the corners of the bounding box.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

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

    @abstractmethod
    def section(self, fixed: Mapping[str, float]) -> Place:
        """The points whose coordinates in `fixed` have these values; the whole interior if `fixed` is empty."""

    @abstractmethod
    def walls(self, across: Sequence[str], side: str = "both") -> Place:
        """The pieces of the boundary across these coordinates, one after the other; `side` is a key of SIDES."""
