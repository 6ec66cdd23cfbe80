"""`BoundaryPiece`, what combinations leave of surfaces, and `SidePiece`, one side of an interface in the interior.

Points are drawn on whole surfaces, and those that do not belong to the piece are left out: the rest is spread as
evenly. A point of a surface belongs to the boundary of a domain if a small step along the normal leads out of the
domain, and a step back into it.

Legend: N points, D coordinates, K coordinates of a surface.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from mask_pinns.domains.interior import COINCIDENCE, MOST_OF_ALL, TRIALS, Space, TriedPiece
from mask_pinns.domains.places import kronecker
from mask_pinns.domains.points import Points
from mask_pinns.domains.surfaces import Flat, Surface

STEP = 1.5e-8
"""Length of a step off a surface, relative to the size of the domain: narrower gaps and walls are not seen."""
ASIDE = 1e-6
"""Distance of points from an interface, relative to the size of the domain: single precision sees it too."""

Filter = Callable[[Points], Tensor]


@dataclass(frozen=True, eq=False)
class BoundaryPiece(TriedPiece):
    """What belongs to the boundary of a domain of some surfaces, each with the sign of its normals there.

    A surface that does not mention a coordinate reaches through all of the domain along it. `filters` are functions of
    the points that say which of them belong to the piece; with a `shape`, they belong to its boundary too.
    """

    domain: Space
    surfaces: tuple[tuple[Surface, float], ...]
    filters: tuple[Filter, ...] = ()
    normal: Mapping[str, float] = field(default_factory=dict)
    shape: Space | None = None

    @cached_property
    def _others(self) -> list[list[str]]:
        """The coordinates along which each surface reaches through the domain."""
        return [[c for c in self.domain.names if c not in surface.names] for surface, _ in self.surfaces]

    @cached_property
    def _measures(self) -> list[float]:
        """The measures of the whole surfaces in the domain's coordinates."""
        lengths = {c: self.domain[c][1] - self.domain[c][0] for c in self.domain.names}
        return [
            surface.measure * math.prod(lengths[c] for c in others)
            for (surface, _), others in zip(self.surfaces, self._others, strict=True)
        ]

    @property
    def whole(self) -> float:  # type: ignore[override]
        return sum(self._measures)

    @cached_property
    def dimension(self) -> int:
        most = max(s.dimension + len(others) for (s, _), others in zip(self.surfaces, self._others, strict=True))
        return max(most, int(len(self.surfaces) > 1))

    @cached_property
    def edges(self) -> Mapping[str, tuple[float, float]] | None:
        flat = self.surfaces[0][0]
        if len(self.surfaces) > 1 or not isinstance(flat, Flat) or self.found(TRIALS[1]) < MOST_OF_ALL:
            return None
        inside = {name: ends for name, ends in flat.bounds.items() if name != flat.fixed}
        return inside | {name: self.domain[name] for name in self._others[0]}

    def points(self, unit: Tensor) -> Tensor:
        return self._on_surfaces(unit)[0]

    def _on_surfaces(self, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Candidates, their normals (N, D) and surfaces (N,): the first number selects it, and is stretched again."""
        index = torch.zeros(len(unit), dtype=torch.long, device=unit.device)
        if len(self.surfaces) > 1:
            ends = torch.cumsum(unit.new_tensor([0.0, *self._measures]), 0) / self.whole
            index = (torch.bucketize(unit[:, 0].contiguous(), ends, right=True) - 1).clamp(0, len(self.surfaces) - 1)
            first = (unit[:, 0] - ends[index]) / (ends[index + 1] - ends[index])
            unit = torch.cat([first.clamp(0.0, 1.0)[:, None], unit[:, 1:]], 1)
        x, normals = unit.new_zeros(2, len(unit), len(self.domain.names))
        for i in range(len(self.surfaces)):
            rows = (index == i).nonzero()[:, 0]
            x[rows], normals[rows] = self._on_surface(i, unit[rows])
        return x, normals, index

    def _on_surface(self, i: int, unit: Tensor) -> tuple[Tensor, Tensor]:
        (surface, sign), columns = self.surfaces[i], self._columns(i)
        x, normals = unit.new_zeros(2, len(unit), len(self.domain.names))
        x[:, columns], outward = surface.drawn(unit[:, : surface.dimension])
        normals[:, columns] = sign * outward
        for k, name in enumerate(self._others[i], surface.dimension):
            low, high = self.domain[name]
            x[:, self.domain.names.index(name)] = low + (high - low) * unit[:, k]
        return x, normals

    def tried(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        x, normals, index = self._on_surfaces(unit)
        taken = torch.ones(len(x), dtype=torch.bool, device=x.device)
        for i, repeats in self._repeats.items():
            rows = (index == i).nonzero()[:, 0]
            for earlier in repeats:  # points of both are taken once
                taken[rows] &= ~self._is_at(earlier, x[rows], normals[rows])
        return x, taken & self._is_boundary(x, normals)

    def _is_boundary(self, x: Tensor, normals: Tensor) -> Tensor:
        """Whether the domain lies behind points (N, D) and not before them; and whether the filters agree."""
        step = self._step(x) * normals
        within = self.domain.contains(self._points(x - step)) & ~self.domain.contains(self._points(x + step))
        if self.shape is not None:
            within = within & (
                self.shape.contains(self._points(x - step)) ^ self.shape.contains(self._points(x + step))
            )
        by_name = dict(zip(self.domain.names, normals.unbind(1), strict=True))
        for function in self.filters:
            within = within & _selected(function, Points(x, self.domain.names, lambda _: by_name))
        return within

    @cached_property
    def _repeats(self) -> dict[int, list[int]]:
        """For each surface, the earlier ones that coincide with a part of it."""
        unit = kronecker(self.dimension, 64)
        samples = torch.stack([self._on_surface(i, unit)[0] for i in range(len(self.surfaces))])  # (M, 64, D)
        every = range(len(self.surfaces))
        offsets = torch.stack([self._offset(i, samples.flatten(0, 1)).unflatten(0, samples.shape[:2]) for i in every])
        meets = (offsets <= COINCIDENCE * self.domain.size).any(2)  # (M, M)
        meets = (meets | meets.T).tril(-1)  # a large surface's few samples may all miss the small one that it covers
        return {j: meets[j].nonzero()[:, 0].tolist() for j in every if meets[j].any()}

    def _is_at(self, i: int, x: Tensor, normals: Tensor) -> Tensor:
        return (self._offset(i, x) <= COINCIDENCE * self.domain.size) & ((self._normals(i, x) * normals).sum(1) > 0.5)

    def _columns(self, i: int) -> list[int]:
        return [self.domain.names.index(c) for c in self.surfaces[i][0].names]

    def _offset(self, i: int, x: Tensor) -> Tensor:
        return self.surfaces[i][0].offset(x[:, self._columns(i)])

    def _normals(self, i: int, x: Tensor) -> Tensor:
        """The outward normals (N, D) of surface i at points (N, D)."""
        surface, sign = self.surfaces[i]
        columns = self._columns(i)
        normals = torch.zeros_like(x)
        normals[:, columns] = sign * surface.normals(x[:, columns])
        return normals

    def normals(self, x: Tensor) -> Tensor:
        """The outward normals (N, D) at points (N, D) of the piece: those of the nearest surface."""
        if len(self.surfaces) == 1:
            return self._normals(0, x)
        nearest = torch.stack([self._offset(i, x) for i in range(len(self.surfaces))]).argmin(0)  # (N,)
        normals = torch.zeros_like(x)
        for i in range(len(self.surfaces)):
            normals = torch.where((nearest == i)[:, None], self._normals(i, x), normals)
        if not self._repeats:
            return normals
        step = self._step(x) * normals  # of surfaces that coincide, one may have been cut away, with opposite normals
        inwards = self.domain.contains(self._points(x + step)) & ~self.domain.contains(self._points(x - step))
        return torch.where(inwards[:, None], -normals, normals)

    def _step(self, x: Tensor) -> float:
        """A small length, but one that is not lost by rounding, far from the origin and in single precision."""
        eps, size = torch.finfo(x.dtype).eps, self.domain.size
        return max(STEP * size, 32 * eps * size, 8 * eps * self._far)

    @cached_property
    def _far(self) -> float:
        """The largest coordinate in space."""
        return max(abs(end) for name in self.domain.spatial for end in self.domain[name])

    def normal_at(self, x: Tensor) -> Mapping[str, float | Tensor]:
        if self.normal:
            return self.normal
        names = {c for surface, _ in self.surfaces for c in surface.names}
        columns = zip(self.domain.names, self.normals(x).unbind(1), strict=True)
        return {name: column for name, column in columns if name in names}

    def holds(self, x: Tensor) -> Tensor:
        near = torch.stack([self._offset(i, x) for i in range(len(self.surfaces))]).amin(0) <= 1e-6 * self.domain.size
        return near & self._is_boundary(x, self.normals(x))


@dataclass(frozen=True, eq=False)
class SidePiece(BoundaryPiece):
    """The points of some surfaces that lie inside of a domain, moved a little to one side: -1 against the normals."""

    side: float = 1.0

    def points(self, unit: Tensor) -> Tensor:
        return self.tried(unit)[0]

    def tried(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        x, taken = super().tried(unit)
        return x + self.side * self._aside * self.normals(x), taken

    @property
    def _aside(self) -> float:
        return max(ASIDE * self.domain.size, 8 * torch.finfo(torch.float32).eps * self._far)

    def _is_boundary(self, x: Tensor, normals: Tensor) -> Tensor:
        before, behind = (self._points(x + side * self._aside * normals) for side in (1.0, -1.0))
        within = self.domain.contains(before) & self.domain.contains(behind)
        return within if self.shape is None else within & self.shape.contains(behind) & ~self.shape.contains(before)


def _selected(function: Filter, p: Points) -> Tensor:
    """Which points a user's function selects, (N,). Raises ValueError for anything but one truth value per point."""
    result = function(p)
    if not isinstance(result, Tensor) or result.dtype != torch.bool or result.shape != (len(p),):
        what = f"{result.dtype}, {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(
            f"the function that selects a part of the boundary gives {what}; expected a truth value for each of "
            f"{len(p)} points, as lambda p: p.x > 0.5 does"
        )
    return result
