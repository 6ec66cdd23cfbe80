"""`Place`, where a condition holds, made of `Piece`s: interiors, parts of the boundary, sections, single points.

Conditions, points, probes and checks use only these, and do not depend on the shape of a domain.

Legend: N points, D coordinates, R pieces of a place.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mask_pinns.domains.points import Points

SIDES = {"both": (0, 1), "low": (0,), "high": (1,)}
"""Ends of a coordinate, 0 the low one and 1 the high one, by the word that selects them."""

Sample = Callable[[int, int], Tensor]
"""`sample(d, n)` gives about n samples (n, d) of the unit cube, a single row for d = 0."""

ROUNDS = 6
"""Number of times that the number of candidates is doubled, before a place counts as empty."""


class Piece(ABC):
    """A part of a domain on which a condition holds.

    Attributes:
        normal: the components of the outward unit normal by coordinate, without zeros, if they are the same at every
            point; empty inside the domain, and on a curved piece.
        share: the share of the candidates that lie on the piece; below 1, candidates have to be tried.
    """

    normal: Mapping[str, float]
    share: float = 1.0

    @property
    @abstractmethod
    def dimension(self) -> int:
        """The number of its free coordinates: one point takes this many random numbers."""

    @property
    def edges(self) -> Mapping[str, tuple[float, float]] | None:
        """The ends of its free coordinates, in the order of the samples, if it is all of a box; None otherwise."""
        return None

    @abstractmethod
    def points(self, unit: Tensor) -> Tensor:
        """Points (N, D) of the piece from samples (N, dimension) of the unit cube; candidates if its share is not 1."""

    def tried(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates (N, D) from samples (N, dimension), and whether each is taken as a point of the piece, (N,)."""
        x = self.points(unit)
        return x, torch.ones(len(x), dtype=torch.bool, device=x.device)

    def holds(self, x: Tensor) -> Tensor:
        """Whether points (N, D) lie on the piece, up to rounding, (N,)."""
        raise NotImplementedError

    def normal_at(self, x: Tensor) -> Mapping[str, float | Tensor]:
        """The components of the outward unit normals at points (N, D) of the piece: numbers, or (N,) each."""
        return self.normal

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

    @property
    def count(self) -> int | None:
        """The number of its points, if they are given; None if any number of them can be drawn."""
        return None

    @property
    def further(self) -> int:
        """The number K of further columns that its points (R N, D + K) have, for what was measured there."""
        return 0

    def usual(self, n: int) -> int:
        """The number of points on a piece, where places usually have n."""
        return n

    def draw(self, n: int, sample: Sample) -> Tensor:
        """Points (R n, D), piece after piece; a place of single points has one on each."""
        blocks = [block for group in self.groups for block in _drawn(group, n, sample)]
        most = max(map(len, blocks))
        return torch.cat([block.expand(most, -1) if len(block) == 1 else block for block in blocks])

    def check_points(self, like: Tensor, count: int = 2) -> Tensor:
        """A few fixed points inside every piece, (R count, D), in the dtype and on the device of `like`."""
        fractions = like.new_tensor([0.3 + 0.3 * i / max(1, count - 1) for i in range(count)])

        def sample(dimension: int, n: int) -> Tensor:
            return fractions[:, None].expand(count, dimension) if n == count else kronecker(dimension, n).to(like)

        return self.draw(count, sample)

    def at(self, x: Tensor, names: tuple[str, ...]) -> Points:
        """Points (R N, D) of this place, as `draw` orders them, as residuals and targets receive them."""
        return Points(x, names, self.normals)

    def normals(self, x: Tensor) -> Mapping[str, float | Tensor]:
        """The components of the outward unit normals (R N,) at points (R N, D), as `draw` orders them."""
        n = len(x) // len(self)
        given = [piece.normal_at(x[i * n : (i + 1) * n]) for i, piece in enumerate(self.pieces)]
        if not any(given):
            raise ValueError("p.normal: these points do not lie on a boundary; name one: Condition(..., where=shape)")
        names = dict.fromkeys(name for normal in given for name in normal)
        columns = {c: [torch.as_tensor(normal.get(c, 0.0)).to(x).expand(n) for normal in given] for c in names}
        return {c: torch.cat(parts) for c, parts in columns.items()}


def _drawn(group: Sequence[Piece], n: int, sample: Sample) -> list[Tensor]:
    """Points (n, D) of each piece of a group: the first n samples of which all pieces accept their candidates.

    All of it follows from the samples, so that points can be drawn again.
    """
    share = min(piece.share for piece in group)
    dimension = group[0].dimension
    if share == 1.0 or dimension == 0:
        unit = sample(dimension, n)
        return [piece.points(unit) for piece in group]
    for doubling in range(ROUNDS):
        unit = sample(dimension, (math.ceil(1.1 * n / share) + 8) << doubling)
        exact = unit.double() if unit.device.type != "mps" else unit  # a device without double precision
        candidates = [piece.tried(exact) for piece in group]
        chosen = torch.stack([taken for _, taken in candidates]).all(0).nonzero()[:n, 0]
        if len(chosen) == n:
            return [x[chosen].to(unit.dtype) for x, _ in candidates]
    raise ValueError(f"no {n} points were found on {group[0]!r}: it is too small a part of its surroundings")


def kronecker(dimension: int, n: int) -> Tensor:
    """A fixed sequence (n, d) that fills the unit cube evenly: multiples of powers of a root of r^(d+1) = r + 1.

    A single row for d = 0. Source: Roberts 2018 (the generalized golden ratio), float64.
    """
    n = n if dimension else 1
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (dimension + 1))
    steps = torch.tensor([root ** -(i + 1) for i in range(dimension)], dtype=torch.float64)
    return (0.5 + torch.arange(1, n + 1, dtype=torch.float64)[:, None] * steps) % 1.0


@dataclass(frozen=True, eq=False)
class Image(Piece):
    """The mirror image of a piece about the middle of one coordinate."""

    piece: Piece
    column: int
    ends: float  # low + high

    normal = {}  # noqa: RUF012  # as of any curved piece

    @property
    def share(self) -> float:  # type: ignore[override]
        return self.piece.share

    @property
    def dimension(self) -> int:
        return self.piece.dimension

    def points(self, unit: Tensor) -> Tensor:
        return self._mirror(self.piece.points(unit))

    def tried(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        x, taken = self.piece.tried(unit)
        return self._mirror(x), taken

    def holds(self, x: Tensor) -> Tensor:
        return self.piece.holds(self._mirror(x))

    def mirrored(self, name: str) -> Piece:
        raise NotImplementedError

    def coincides(self, other: Piece) -> bool:
        return same_points(self, other)

    def _mirror(self, x: Tensor) -> Tensor:
        image = x.clone()
        image[:, self.column] = self.ends - x[:, self.column]
        return image


def same_points(a: Piece, b: Piece, count: int = 256) -> bool:
    """Whether fixed points of each of two pieces lie on the other one."""
    like = torch.empty(0, dtype=torch.float64)
    return all(
        bool(other.holds(Place(((piece,),)).check_points(like, count)).all()) for piece, other in ((a, b), (b, a))
    )
