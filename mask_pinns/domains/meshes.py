"""Shapes of other libraries: `outline` takes polygons of shapely, `Mesh` closed surfaces from files by trimesh.

Both libraries are optional: pip install "mask-pinns[shapes]".

Legend: N points, T triangles.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mask_pinns.domains.balls import checked, positive
from mask_pinns.domains.domain import Domain, union
from mask_pinns.domains.polygon import Polygon
from mask_pinns.domains.surfaces import Bounds, Surface


def library(name: str, what: str) -> Any:
    """An optional library. Raises ValueError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f'{what} needs {name} ({error}): pip install "mask-pinns[shapes]"') from None


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
    polygons = geometry.geoms if isinstance(geometry, shapely.MultiPolygon) else [geometry]
    return union(_with_holes(polygon, coordinates) for polygon in polygons)


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
        checked("Mesh", dict.fromkeys(coordinates, 0.0))
        if len(coordinates) != 3:
            raise ValueError(f"Mesh has the coordinates {coordinates!r}; expected three letters, e.g. 'xyz'")
        self.title = f"Mesh({str(surface)!r})" if isinstance(surface, str | Path) else "Mesh of triangles"
        self.mesh = _loaded(trimesh, surface, self.title).copy()
        self.mesh.apply_scale(positive("Mesh", "scale", scale))
        if not self.mesh.is_watertight:
            raise ValueError(
                f"{self.title} is not closed: an edge belongs to one triangle only, so that there is no inside; "
                "repair the surface, e.g. by trimesh.repair.fill_holes"
            )
        trimesh.repair.fix_normals(self.mesh)
        self.names = tuple(coordinates)
        low, high = self.mesh.bounds.tolist()
        self.low, self.high = tuple(low), tuple(high)

    def __repr__(self) -> str:
        return f"{self.title} of {len(self.mesh.faces):,} triangles"

    def _coordinates(self, p: Any) -> Tensor:
        return torch.stack([getattr(p, name) for name in self.names], 1)

    def contains(self, p: Any) -> Tensor:
        x = self._coordinates(p)
        inside = self.mesh.contains(x.detach().double().cpu().numpy())
        return torch.from_numpy(np.asarray(inside)).to(x.device)

    def distance(self, p: Any) -> Any:
        x = self._coordinates(p)
        away = _nearest(self.mesh, x)[1]
        return torch.where(self.contains(p), away, -away)

    def surfaces(self, bounds: Bounds) -> list[tuple[Surface, float]]:
        return [(Triangles(self.names, self.mesh), 1.0)]

    @property
    def measure(self) -> float:
        return float(self.mesh.volume)


def _loaded(trimesh: Any, surface: Any, title: str) -> Any:
    """A surface from a file, or the one that is given. Raises ValueError for anything else."""
    if isinstance(surface, trimesh.Trimesh):
        mesh = surface
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


def _nearest(mesh: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest triangle of points (N, 3), and the distance, both (N,)."""
    _, away, triangle = library("trimesh.proximity", "Mesh").closest_point(mesh, x.detach().double().cpu().numpy())
    return torch.from_numpy(triangle).to(x.device), torch.from_numpy(away).to(x)


@dataclass(frozen=True, eq=False)
class Triangles(Surface):
    """The surface of a mesh."""

    names: tuple[str, ...]
    mesh: Any
    dimension: int = 2

    @cached_property
    def _areas(self) -> np.ndarray:
        return np.asarray(self.mesh.area_faces)

    @property
    def measure(self) -> float:  # type: ignore[override]
        return float(self._areas.sum())

    def points(self, unit: Tensor) -> Tensor:
        """The first number selects a triangle by area, and is stretched again; both fold into the triangle."""
        ends = torch.cumsum(unit.new_tensor(self._areas), 0)
        along = unit[:, 0] * ends[-1]
        i = torch.bucketize(along, ends, right=True).clamp(max=len(ends) - 1)
        areas = unit.new_tensor(self._areas)[i]
        root = ((along - ends[i] + areas) / areas).clamp(0.0, 1.0).sqrt()
        a, b, c = unit.new_tensor(np.asarray(self.mesh.triangles))[i].unbind(1)
        across = unit[:, 1]
        weights = torch.stack([1 - root, root * (1 - across), root * across], 1)
        return weights[:, :1] * a + weights[:, 1:2] * b + weights[:, 2:] * c

    def offset(self, x: Tensor) -> Tensor:
        return _nearest(self.mesh, x)[1]

    def normals(self, x: Tensor) -> Tensor:
        return x.new_tensor(np.asarray(self.mesh.face_normals))[_nearest(self.mesh, x)[0].to(x.device)]
