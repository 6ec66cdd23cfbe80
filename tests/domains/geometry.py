"""What the tests of domains share: one description of a shape in three algebras (ours, numpy's, shapely's), samplers.

A case is a function of an algebra, `lambda g: g.box(0, 4, 0, 2) - g.disk(1, 1, 0.5)`: evaluated with `Shapes` it is a
domain of this package, with `Levels` a numpy function that is positive inside, with `shapely_algebra()` a polygon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mask_pinns.datamodules import SAMPLERS
from mask_pinns.datamodules.points import generator
from mask_pinns.domains import Box, Disk, Domain, Ellipse, HalfPlane, Place, Points, Polygon

RANDOM = ("latin_hypercube", "sobol", "uniform")
"""Samplers that fill the unit cube with any number of points."""


class Shapes:
    """The shapes of this package."""

    @staticmethod
    def box(a: float, b: float, c: float, d: float) -> Domain:
        return Box(x=(a, b), y=(c, d))

    @staticmethod
    def disk(x: float, y: float, r: float) -> Domain:
        return Disk(x=x, y=y, radius=r)

    @staticmethod
    def ellipse(x: float, a: float, y: float, b: float) -> Domain:
        return Ellipse(x=(x, a), y=(y, b))

    @staticmethod
    def polygon(*corners: tuple[float, float]) -> Domain:
        x, y = zip(*corners, strict=True)
        return Polygon(x=x, y=y)

    @staticmethod
    def behind(x: float, y: float, nx: float, ny: float) -> Domain:
        return HalfPlane(x=x, y=y, normal={"x": nx, "y": ny})


class Level:
    """A function of points (N, D) that is positive inside, combined by min, max and minus."""

    def __init__(self, f: Callable[[np.ndarray], np.ndarray]) -> None:
        self.f = f

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.f(np.asarray(x, dtype=np.float64))

    def __and__(self, other: Level) -> Level:
        return Level(lambda x: np.minimum(self(x), other(x)))

    def __or__(self, other: Level) -> Level:
        return Level(lambda x: np.maximum(self(x), other(x)))

    def __sub__(self, other: Level) -> Level:
        return Level(lambda x: np.minimum(self(x), -other(x)))


class Levels:
    """The same by formulas in numpy; but for the ellipse, distances near the boundary."""

    @staticmethod
    def box(*ends: float) -> Level:
        low, high = np.array(ends[::2]), np.array(ends[1::2])
        return Level(lambda x: np.minimum(x - low, high - x).min(1))

    @staticmethod
    def disk(*centre_radius: float) -> Level:
        *centre, r = centre_radius
        return Level(lambda x: r - np.linalg.norm(x - np.array(centre), axis=1))

    @staticmethod
    def ellipse(x: float, a: float, y: float, b: float) -> Level:
        return Level(lambda p: 1 - np.hypot((p[:, 0] - x) / a, (p[:, 1] - y) / b))

    @staticmethod
    def polygon(*corners: tuple[float, float]) -> Level:
        return Level(lambda p: _polygon_level(np.array(corners, dtype=float), p))

    @staticmethod
    def behind(x: float, y: float, nx: float, ny: float) -> Level:
        return Level(lambda p: -((p[:, 0] - x) * nx + (p[:, 1] - y) * ny) / np.hypot(nx, ny))


def _polygon_level(corners: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The distance from the sides, with the sign of the winding number."""
    a, b = corners[None] - p[:, None], np.roll(corners, -1, 0)[None] - p[:, None]
    turns = np.arctan2(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], (a * b).sum(2)).sum(1)
    side = b - a
    along = np.clip(-(a * side).sum(2) / (side**2).sum(2), 0, 1)
    away = np.linalg.norm(a + along[..., None] * side, axis=2).min(1)
    return np.where(np.abs(turns) > 3, away, -away)


def shapely_algebra() -> Any:
    """The same by shapely; curves are polygons of 4,000 sides."""
    shapely = pytest.importorskip("shapely")
    affinity = pytest.importorskip("shapely.affinity")

    class Algebra:
        box = staticmethod(lambda a, b, c, d: shapely.box(a, c, b, d))
        disk = staticmethod(lambda x, y, r: shapely.Point(x, y).buffer(r, quad_segs=1000))
        ellipse = staticmethod(
            lambda x, a, y, b: affinity.translate(
                affinity.scale(shapely.Point(0, 0).buffer(1, quad_segs=1000), a, b), x, y
            )
        )
        polygon = staticmethod(lambda *corners: shapely.Polygon(corners))

        @staticmethod
        def behind(x: float, y: float, nx: float, ny: float) -> Any:
            n = np.array([nx, ny]) / np.hypot(nx, ny) * 100
            start, across = np.array([x, y]), np.array([-n[1], n[0]])
            return shapely.Polygon([start - across, start + across, start + across - n, start - across - n])

    return Algebra


def sampler(name: str = "uniform", seed: int = 0, dtype: torch.dtype = torch.float64) -> Callable[[int, int], Tensor]:
    random = generator("cpu", seed)
    return lambda d, n: SAMPLERS[name](n, d, random, dtype) if d else torch.empty(1, 0, dtype=dtype)


def drawn(place: Place, n: int, name: str = "uniform", seed: int = 0) -> np.ndarray:
    return place.draw(n, sampler(name, seed)).numpy()


def points(x: np.ndarray, names: tuple[str, ...]) -> Points:
    return Points(torch.as_tensor(x, dtype=torch.float64), names)


def around(domain: Domain, n: int, seed: int = 0, margin: float = 0.3) -> np.ndarray:
    """Random points in and around the bounding box."""
    low, high = np.array(domain.low), np.array(domain.high)
    x = np.random.default_rng(seed).random((n, len(low)))
    return low - margin * (high - low) + x * (1 + 2 * margin) * (high - low)


def distance(domain: Domain, x: np.ndarray) -> np.ndarray:
    return domain.distance(points(x, domain.names)).numpy()


def contains(domain: Domain, x: np.ndarray) -> np.ndarray:
    return domain.contains(points(x, domain.names)).numpy()


def normals(place: Place, x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    normal = place.at(torch.as_tensor(x), names).normal
    return normal.tensor.numpy()


def gradient(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float) -> np.ndarray:
    """The gradient (N, D) by central differences of order six."""
    parts = []
    for step in h * np.eye(x.shape[1]):
        difference = [f(x + k * step) - f(x - k * step) for k in (1, 2, 3)]
        parts.append((45 * difference[0] - 9 * difference[1] + difference[2]) / (60 * h))
    return np.stack(parts, 1)


def smooth(domain: Domain, x: np.ndarray, away: float) -> np.ndarray:
    """Which points of the boundary are away from corners and edges: other surfaces, ends of sides."""
    columns = {name: torch.as_tensor(x[:, i]) for i, name in enumerate(domain.names)}
    bounds = {name: domain[name] for name in domain.spatial}
    offsets, kept = [], np.ones(len(x), dtype=bool)
    for surface, _ in domain.surfaces(bounds):
        at = torch.stack([columns[name] for name in surface.names], 1)
        offsets.append(surface.offset(at).numpy())
        for corner in getattr(surface, "corners", ()) if surface.dimension == 1 else ():
            kept &= np.linalg.norm(at.numpy() - np.array(corner), axis=1) > away
    return kept & (np.sort(offsets, 0)[1] > away if len(offsets) > 1 else True)


def within(values: np.ndarray, expected: float | np.ndarray, sigmas: float = 4.0) -> bool:
    """Whether the mean over points agrees with an expected value within standard errors."""
    error = values.std(0, ddof=1) / np.sqrt(len(values))
    return bool(np.all(np.abs(values.mean(0) - expected) <= sigmas * error + 1e-12))
