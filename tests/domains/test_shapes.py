"""Each shape by itself: membership, distance, normals, measures, derivatives, against formulas of numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from geometry import (
    RANDOM,
    Level,
    Levels,
    Shapes,
    around,
    contains,
    distance,
    drawn,
    gradient,
    normals,
    points,
    sampler,
    smooth,
    within,
)  # fmt: skip

from mask_pinns.domains import Ball, Box, Disk, Domain, Ellipse, HalfPlane, Points, Polygon
from mask_pinns.jets import Derivatives
from mask_pinns.jets.points import JetPoints

LETTERS = "xyzabc"
TRIANGLE = ((0.0, 0.0), (2.0, 0.0), (0.5, 1.5))
ARROW = ((0.0, 0.0), (2.0, 1.0), (0.0, 2.0), (0.7, 1.0))
STAIRS = ((0.0, 0.0), (3.0, 0.0), (3.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 3.0), (0.0, 3.0))


@dataclass
class Case:
    """A shape, a function that is positive inside, and its exact measures."""

    domain: Domain
    level: Level
    measure: float
    boundary: float


def ball(k: int) -> Case:
    centre = [0.3 * i - 0.2 for i in range(k)]
    volume = math.pi ** (k / 2) / math.gamma(k / 2 + 1) * 0.7**k
    shape = Ball(radius=0.7, **dict(zip(LETTERS, centre, strict=False)))
    return Case(shape, Levels.disk(*centre, 0.7), volume, k * volume / 0.7)


def polygon(*corners: tuple[float, float]) -> Case:
    x, y = np.array(corners).T
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    length = np.hypot(np.roll(x, -1) - x, np.roll(y, -1) - y).sum()
    return Case(Shapes.polygon(*corners), Levels.polygon(*corners), area, length)


CASES = {
    "box1": Case(Box(x=(-1, 2)), Levels.box(-1, 2), 3.0, 2.0),
    "box2": Case(Box(x=(-1, 2), y=(0, 1)), Levels.box(-1, 2, 0, 1), 3.0, 8.0),
    "box3": Case(Box(x=(-1, 2), y=(0, 1), z=(1, 3)), Levels.box(-1, 2, 0, 1, 1, 3), 6.0, 22.0),
    "disk": Case(Disk(x=0.1, y=-0.4, radius=0.6), Levels.disk(0.1, -0.4, 0.6), 0.36 * math.pi, 1.2 * math.pi),
    **{f"ball{k}": ball(k) for k in range(1, 7)},
    # The length by Ramanujan's second formula is exact to 1e-7 here; see the test of lengths for a better one.
    "ellipse": Case(Ellipse(x=(0.5, 2), y=(0, 1)), Levels.ellipse(0.5, 2, 0, 1), 2 * math.pi, 9.688448220547675),
    "half": Case(
        Box(x=(0, 2), y=(0, 1)) & HalfPlane(x=1.0, y=0.5, normal={"x": 1.0, "y": 1.0}),
        Levels.box(0, 2, 0, 1) & Levels.behind(1.0, 0.5, 1.0, 1.0),
        1.0, 3.0 + math.sqrt(2),
    ),
    "triangle": polygon(*TRIANGLE),
    "clockwise": polygon(*TRIANGLE[::-1]),
    "arrow": polygon(*ARROW),
    "stairs": polygon(*STAIRS),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_membership_and_the_sign_of_the_distance(case: Case) -> None:
    x = around(case.domain, 4000)
    x = x[np.abs(case.level(x)) > 1e-9]
    inside = case.level(x) > 0
    assert 0 < inside.sum() < len(x)
    assert np.array_equal(contains(case.domain, x), inside)
    d = distance(case.domain, x)
    assert np.isfinite(d).all() and np.array_equal(d > 0, inside)


def test_the_boundary_has_distance_zero_slope_one_and_outward_normals(case: Case) -> None:
    place = case.domain.boundary()
    x = drawn(place, 400)
    n = normals(place, x, case.domain.names)
    assert np.abs(case.level(x)).max() < 1e-12
    assert np.abs(distance(case.domain, x)).max() < 1e-12
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1.0, atol=1e-12)
    assert (case.level(x + 1e-5 * n) < 0).all()
    kept = smooth(case.domain, x, 0.15)
    assert kept.sum() > 20
    slopes = gradient(lambda p: distance(case.domain, p), x[kept], 2e-3)
    np.testing.assert_allclose(slopes, -n[kept], atol=2e-10)


def test_measures(case: Case) -> None:
    piece = case.domain.boundary().pieces[0]
    exact = not case.domain.__class__.__name__.startswith("Inter")
    assert case.domain.measure == pytest.approx(case.measure, rel=1e-12 if exact else 1e-3)
    assert piece.measure == pytest.approx(case.boundary, rel=1e-12 if exact else 1e-3)
    x = around(case.domain, 100_000, seed=5, margin=0.0)
    share = case.measure / math.prod(b - a for a, b in zip(case.domain.low, case.domain.high, strict=True))
    assert within(case.level(x) > 0, share, 3.0)


def test_the_length_of_an_ellipse() -> None:
    """By the complete elliptic integral, from the arithmetic-geometric mean."""
    a, b, total, power = 2.0, 1.0, 0.0, 0.5
    c = math.sqrt(a * a - b * b)
    x, y = a, b
    while c > 1e-17:
        total += power * c * c
        x, y, c = (x + y) / 2, math.sqrt(x * y), (x - y) / 2
        power *= 2
    length = 2 * math.pi * (a * a - total) / x
    assert CASES["ellipse"].boundary == pytest.approx(length, rel=1e-12)
    thin = Ellipse(x=(0, 1.0), y=(0, 1e-4)).boundary()
    assert thin.pieces[0].measure == pytest.approx(4.0, rel=1e-5)
    assert within(drawn(thin, 4000)[:, 0] ** 2, 1 / 3)


@pytest.mark.parametrize("name", RANDOM)
def test_points_fill_the_inside_evenly(case: Case, name: str) -> None:
    x = drawn(case.domain.section({}), 2000, name)
    assert x.shape == (2000, len(case.domain.names))
    assert case.level(x).min() >= -1e-12
    assert len(np.unique(x, axis=0)) == 2000
    y = around(case.domain, 100_000, seed=9, margin=0.0)
    y = y[case.level(y) > 0]
    for f in (lambda p: p, lambda p: p**2, lambda p: p[:, :1] * p[:, -1:]):
        spread = f(x).std(0) / math.sqrt(len(x)) + f(y).std(0) / math.sqrt(len(y))
        assert (np.abs(f(x).mean(0) - f(y).mean(0)) <= 4 * spread).all()


@pytest.mark.parametrize("name", RANDOM)
def test_points_fill_the_boundary_evenly(case: Case, name: str) -> None:
    """By the theorem of Gauss: the integrals of n, x n and x^2 n over the boundary are those of 0, 1 and 2 x inside."""
    place, k = case.domain.boundary(), len(case.domain.names)
    x = drawn(place, 4000, name)
    n = normals(place, x, case.domain.names)
    assert x.shape == (4000, k) and np.abs(case.level(x)).max() < 1e-12
    assert k == 1 or len(np.unique(x, axis=0)) == 4000
    inside = drawn(case.domain.section({}), 20_000, "sobol")
    ratio = case.measure / case.boundary
    assert within(n, 0.0)
    assert within(x * n, ratio)
    assert within(x**2 * n, 2 * inside.mean(0) * ratio, 4.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_have_the_dtype_of_the_samples(case: Case, dtype: torch.dtype) -> None:
    for place in (case.domain.section({}), case.domain.boundary()):
        x = place.draw(500, sampler("sobol", dtype=dtype))
        assert x.dtype == dtype
        slack = 1e-6 if dtype == torch.float32 else 1e-12
        assert case.level(x.numpy()).min() > -slack
        assert torch.isfinite(case.domain.distance(Points(x, case.domain.names))).all()
    n = case.domain.boundary().at(x, case.domain.names).normal.tensor
    assert n.dtype == dtype and (n.norm(dim=1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["distance", "factor", "outer_factor"])
def test_derivatives_by_jets_agree_with_autograd(case: Case, kind: str) -> None:
    domain, names = case.domain, case.domain.names
    x = around(domain, 300, seed=3, margin=0.2)
    level = case.level(x)
    x = torch.from_numpy(x[(level < -0.05) & (level > -0.5) if kind == "outer_factor" else level > 0.05])
    order2 = [a + b for i, a in enumerate(names) for b in names[i:]]
    length = 0.5

    def f(p):
        return domain.distance(p) if kind == "distance" else getattr(domain, kind)(p, length)

    jet = f(JetPoints.of(x, names, Derivatives(order2))).jet
    x.requires_grad_()
    value = f(Points(x, names))
    (slopes,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    torch.testing.assert_close(jet.value.expand_as(value), value)
    for i, a in enumerate(names):
        (curvature,) = torch.autograd.grad(slopes[:, i].sum(), x, retain_graph=True, allow_unused=True)
        curvature = torch.zeros_like(x) if curvature is None else curvature
        torch.testing.assert_close(jet.streams[a].expand_as(value), slopes[:, i], rtol=1e-9, atol=1e-9)
        for j in range(i, len(names)):
            got = jet.streams.get("".join(sorted(a + names[j])), torch.zeros(1, dtype=x.dtype)).expand_as(value)
            torch.testing.assert_close(got, curvature[:, j], rtol=1e-8, atol=1e-8)


def test_corners_of_polygons() -> None:
    """At a corner the formula would be 0 / 0, and a grid of points or a pin meets corners."""
    for corners in (TRIANGLE, ARROW, STAIRS):
        shape = Shapes.polygon(*corners)
        assert np.array_equal(distance(shape, np.array(corners)), np.zeros(len(corners)))
        for x, y in corners:
            assert len(shape.section({"x": x, "y": y})) == 1


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_far_from_the_origin(offset: float) -> None:
    corners = [(x + offset, y + offset) for x, y in ARROW]
    shapes = [Shapes.polygon(*corners), Disk(x=offset, y=offset, radius=0.5), Ellipse(x=(offset, 0.5), y=(offset, 1))]
    for shape, area in zip(shapes, (1.3, math.pi / 4, math.pi / 2), strict=True):
        assert shape.measure == pytest.approx(area, rel=1e-7)
        box = Box(x=(offset - 3, offset + 3), y=(offset - 3, offset + 3)) - shape
        box.check()
        assert box.measure == pytest.approx(36 - area, rel=1e-3)
        assert box.boundary(shape).pieces[0].measure == pytest.approx(shape.boundary().pieces[0].measure, rel=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1e-30, 1e9])
def test_any_unit_of_length(unit: float) -> None:
    corners = [(x * unit, y * unit) for x, y in STAIRS]
    for shape in (Shapes.polygon(*corners), Disk(x=0, y=0, radius=unit), Ellipse(x=(0, unit), y=(0, 2 * unit))):
        place = shape.boundary()
        x = drawn(place, 200)
        assert np.abs(distance(shape, x)).max() < 1e-12 * unit
        assert (distance(shape, x + 1e-3 * unit * normals(place, x, shape.names)) < 0).all()


def test_balls_in_many_dimensions() -> None:
    centre = dict.fromkeys("abcdefghijklmnopqrsu", 0.0)
    for domain, low in (
        (Ball(radius=1.0, **centre), 0.0),
        (Ball(radius=1.0, **centre) - Ball(radius=0.8, **centre), 0.8),
    ):
        domain.check()
        r = np.linalg.norm(drawn(domain.section({}), 2000), axis=1)
        assert r.max() <= 1 and r.min() >= low
        assert within(r**20, (1 + low**20) / 2)
    box = Box(**dict.fromkeys("abcdef", (-0.1, 0.1))) & Ball(radius=1.0, **dict.fromkeys("abcdef", 0.0))
    assert box.measure == pytest.approx(0.2**6)
    assert points(drawn(box.section({}), 100), box.names).tensor.abs().max() <= 0.1
    assert isinstance(Polygon(x=(0.0, 1.0, 0.0), y=(0.0, 0.0, 1.0)), Domain)
