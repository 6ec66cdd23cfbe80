"""Shapes of other libraries: `outline` takes polygons of shapely, `Mesh` closed surfaces from files by trimesh.

Both libraries are optional: pip install "mask-pinns[shapes]".

Legend: N points, T triangles.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains.domain import Domain, union
from mask_pinns.domains.shapes.balls import checked, positive
from mask_pinns.domains.shapes.polygon import Polygon
from mask_pinns.domains.surfaces import Bounds, Surface

MOST_PAIRS = 2**21
"""Number of points times triangles that are tried at a time."""


def library(name: str, what: str, extra: str = "shapes") -> Any:
    """An optional library of this package's extra. Raises ValueError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f'{what} needs {name} ({error}): pip install "mask-pinns[{extra}]"') from None


def outline(geometry: Any, coordinates: str = "xy") -> Domain:
    """The shape of a polygon of shapely, with its holes, or of several of them (a MultiPolygon).

    Example:
        >>> from shapely.geometry import Point
        >>> from mask_pinns import outline
        >>> outline(Point(0.0, 0.0).buffer(1.0))["x"]
        (-1.0, 1.0)

    Raises ValueError for a geometry that is empty, not valid, or has no area; and if shapely is not installed.
    """
    shapely = library("shapely", "outline()")
    if not isinstance(geometry, shapely.Polygon | shapely.MultiPolygon):
        raise ValueError(f"outline() of a {type(geometry).__name__}; expected a Polygon or MultiPolygon of shapely")
    if geometry.is_empty or not geometry.is_valid:
        reason = "it is empty" if geometry.is_empty else shapely.is_valid_reason(geometry)
        raise ValueError(f"outline(): the polygon cannot be used: {reason}")
    _check_letters("outline()", coordinates, 2)
    polygons = geometry.geoms if isinstance(geometry, shapely.MultiPolygon) else [geometry]
    return union(_with_holes(polygon, coordinates) for polygon in polygons)


def _check_letters(what: str, coordinates: Any, n: int) -> None:
    """Raises ValueError for anything but n different letters."""
    if not isinstance(coordinates, str) or not len(set(coordinates)) == len(coordinates) == n:
        raise ValueError(f"{what} has the coordinates {coordinates!r}; expected {n} letters, e.g. {'xyz'[:n]!r}")
    checked(what, dict.fromkeys(coordinates, 0.0))


def _with_holes(polygon: Any, coordinates: str) -> Domain:
    shape: Domain = _ring(polygon.exterior, coordinates)
    for hole in polygon.interiors:
        shape = shape - _ring(hole, coordinates)
    return shape


def _ring(ring: Any, coordinates: str) -> Polygon:
    corners = np.asarray(ring.coords)[:-1, :2]
    return Polygon(**{name: tuple(corners[:, i].tolist()) for i, name in enumerate(coordinates)})


class Mesh(Domain):
    """The inside of a closed surface of triangles: `Mesh("part.stl")`, or a Trimesh.

    Args:
        surface: a file that trimesh reads (STL, OBJ, PLY, ...), or a `trimesh.Trimesh`.
        coordinates: three letters.
        scale: factor on all lengths, e.g. 0.001 for a file in millimetres.

    The distance is the true one, to the nearest triangle: not smooth at edges and in the middle. So conditions on it
    are not made exact.

    Raises:
        ValueError: a file that cannot be read, a surface with gaps; trimesh or rtree is not installed.
    """

    def __init__(self, surface: Any, coordinates: str = "xyz", scale: float = 1.0) -> None:
        trimesh = library("trimesh", "Mesh")
        library("rtree", "Mesh")
        _check_letters("Mesh", coordinates, 3)
        self.title = f"Mesh({str(surface)!r})" if isinstance(surface, str | Path) else "Mesh of triangles"
        mesh, scale = _loaded(trimesh, surface, self.title), positive("Mesh", "scale", scale)
        if not mesh.is_watertight:
            raise ValueError(
                f"{self.title} is not closed: an edge belongs to one triangle only, so that there is no inside; "
                "repair the surface, e.g. by trimesh.repair.fill_holes"
            )
        self.names = tuple(coordinates)
        self.shell = Triangles(self.names, _oriented(trimesh, mesh) * scale)
        low, high = self.shell.bounds.tolist()
        self.low, self.high = tuple(low), tuple(high)

    def __repr__(self) -> str:
        return f"{self.title} of {len(self.shell.corners):,} triangles"

    def _coordinates(self, p: Any) -> Tensor:
        return torch.stack([getattr(p, name) for name in self.names], 1)

    def contains(self, p: Any) -> Tensor:
        x = self._coordinates(p)
        return torch.from_numpy(self._columns.contain(x.detach().double().cpu().numpy())).to(x.device)

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self.shell.corners)

    def distance(self, p: Any) -> Any:
        x = self._coordinates(p)
        away = self.shell.offset(x)
        return torch.where(self.contains(p), away, -away)

    @property
    def is_smooth(self) -> bool:
        return False

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(self.shell, 1.0)]

    @property
    def measure(self) -> float:
        a, b, c = (self.shell.corners - self.shell.bounds[0]).transpose(1, 0, 2)
        return float((np.cross(a, b) * c).sum() / 6)


def _loaded(trimesh: Any, surface: Any, title: str) -> Any:
    """A surface from a file, or the one that is given. Raises ValueError for anything else."""
    if isinstance(surface, trimesh.Trimesh):
        mesh = surface
    elif not isinstance(surface, str | Path):
        raise ValueError(f"Mesh of a {type(surface).__name__}; expected a file, or a Trimesh of trimesh")
    elif not Path(surface).is_file():
        raise ValueError(f"{title}: there is no such file")
    else:
        try:
            mesh = trimesh.load_mesh(surface)
        except Exception as error:  # of the reader of any format
            raise ValueError(f"{title} cannot be read: {error}") from None
    if not len(getattr(mesh, "faces", ())):
        raise ValueError(f"{title} has no triangles")
    return mesh


def _oriented(trimesh: Any, mesh: Any) -> np.ndarray:
    """The corners (T, 3, 3) of triangles whose normals point outwards."""
    unit = mesh.copy()  # of size 1 around the origin, which the tolerances of trimesh fit: they are lengths
    unit.apply_translation(-mesh.bounds.mean(0))
    unit.apply_scale(1 / mesh.extents.max())
    trimesh.repair.fix_normals(unit)
    return np.asarray(mesh.vertices)[np.asarray(unit.faces)]


@dataclass(frozen=True, eq=False)
class Triangles(Surface):
    """The surface of a mesh."""

    names: tuple[str, ...]
    corners: np.ndarray
    dimension: int = 2

    def __getstate__(self) -> dict[str, Any]:
        """All but the mesh with its index of triangles, which copies and pickles would leave empty."""
        return {name: value for name, value in vars(self).items() if name != "_unit"}

    @cached_property
    def _unit(self) -> Any:
        """The mesh of size 1 around the origin, which the tolerances of trimesh fit."""
        corners = (self.corners - self.bounds.mean(0)) / np.ptp(self.bounds, axis=0).max()
        faces = np.arange(3 * len(corners)).reshape(-1, 3)
        return library("trimesh", "Mesh").Trimesh(corners.reshape(-1, 3), faces, process=False)

    @cached_property
    def bounds(self) -> np.ndarray:
        """The lowest and the highest corner, (2, 3)."""
        return np.stack([self.corners.min((0, 1)), self.corners.max((0, 1))])

    @cached_property
    def _crosses(self) -> np.ndarray:
        """Normals (T, 3) as long as twice the areas."""
        a, b, c = self.corners.transpose(1, 0, 2)
        return np.cross(b - a, c - a)

    @cached_property
    def _areas(self) -> np.ndarray:
        result: np.ndarray = np.linalg.norm(self._crosses, axis=1) / 2
        return result

    @property
    def measure(self) -> float:  # type: ignore[override]
        return float(self._areas.sum())

    @cached_property
    def _normals(self) -> np.ndarray:
        result: np.ndarray = self._crosses / np.maximum(2 * self._areas, np.finfo(float).tiny)[:, None]
        return result

    def points(self, unit: Tensor) -> Tensor:
        return self.drawn(unit)[0]

    def drawn(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """The first number selects a triangle by area, and is stretched again; both fold into the triangle."""
        ends = torch.cumsum(unit.new_tensor(self._areas), 0)
        along = unit[:, 0] * ends[-1]
        i = torch.bucketize(along, ends, right=True).clamp(max=len(ends) - 1)
        areas = unit.new_tensor(self._areas)[i]
        root = ((along - ends[i] + areas) / areas).clamp(0.0, 1.0).sqrt()
        a, b, c = unit.new_tensor(self.corners)[i].unbind(1)
        across = unit[:, 1]
        weights = torch.stack([1 - root, root * (1 - across), root * across], 1)
        return weights[:, :1] * a + weights[:, 1:2] * b + weights[:, 2:] * c, unit.new_tensor(self._normals)[i]

    def offset(self, x: Tensor) -> Tensor:
        return self._nearest(x)[1]

    def normals(self, x: Tensor) -> Tensor:
        return x.new_tensor(self._normals)[self._nearest(x)[0]]

    def _nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest triangle of points (N, 3), and the distance, both (N,)."""
        size = np.ptp(self.bounds, axis=0).max()
        points = (x.detach().double().cpu().numpy() - self.bounds.mean(0)) / size
        _, away, triangle = library("trimesh.proximity", "Mesh").closest_point(self._unit, points)
        return torch.from_numpy(triangle).to(x.device), torch.from_numpy(away * size).to(x)


class Columns:
    """Triangles by the cell of a grid across two coordinates: a line along the third meets only those of its cell.

    A point is inside if the line from it meets an odd number of triangles. The two triangles at an edge agree exactly
    on which side of the edge a line passes, so that none slips through.
    """

    def __init__(self, corners: np.ndarray) -> None:
        self.low = corners.min((0, 1))
        self.corners = corners - self.low
        self.normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.side = self.corners[..., :2].max((0, 1))
        self.cells = min(512, 2 * math.isqrt(len(corners)) + 1)
        first, last = self._cell(self.corners[..., :2].min(1)), self._cell(self.corners[..., :2].max(1))
        across, along = (last - first + 1).T
        owner, k = _expanded(across * along)
        cell = (first[owner, 0] + k // along[owner]) * self.cells + first[owner, 1] + k % along[owner]
        self.members = owner[np.argsort(cell, kind="stable")]
        self.ends = np.searchsorted(np.sort(cell), np.arange(self.cells**2 + 1))

    def _cell(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x / self.side * self.cells).astype(np.int64), 0, self.cells - 1)

    def contain(self, x: np.ndarray) -> np.ndarray:
        """Whether points (N, 3) are inside, (N,)."""
        x = x - self.low
        inside = ((x >= 0) & (x <= self.corners.max((0, 1)))).all(1)
        rows = inside.nonzero()[0]
        cells = self._cell(x[rows, :2]) @ np.array([self.cells, 1])
        counts = self.ends[cells + 1] - self.ends[cells]
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(np.cumsum(counts) // MOST_PAIRS)) + 1):
            point, k = _expanded(counts[part])
            triangle = self.members[self.ends[cells[part]][point] + k]
            within = _covered(x[rows[part], :2][point], self.corners[triangle, :, :2])
            point, triangle = point[within], triangle[within]
            normals = self.normals[triangle]
            height = ((self.corners[triangle, 0] - x[rows[part]][point]) * normals).sum(1)
            met = np.sign(height) * np.sign(normals[:, 2]) > 0
            inside[rows[part]] = np.bincount(point, met, len(part)) % 2 == 1
        return inside


def _expanded(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of so many copies of 0, 1, ...: which number it is a copy of, and its place among these copies."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _covered(x: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Whether points (P, 2) lie in the triangle of each, (P, 3, 2)."""
    within = np.zeros(len(x), dtype=bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        swap = (corners[:, i, 1] > corners[:, j, 1])[:, None]
        low, high = np.where(swap, corners[:, j], corners[:, i]), np.where(swap, corners[:, i], corners[:, j])
        straddles = (low[:, 1] > x[:, 1]) != (high[:, 1] > x[:, 1])
        across, away = high - low, x - low
        within ^= straddles & (across[:, 0] * away[:, 1] > away[:, 0] * across[:, 1])
    return within
