"""Quadratures of domains and boundaries against integrals that are known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mask_pinns import Ball, Box, Disk, Domain, Integral, Polygon

HOLE = Disk(x=0.3, y=0.0, radius=0.5)
SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
MOMENT = math.pi * 0.25 * 0.09 + math.pi * 0.5**4 / 4
"""The integral of x^2 over the hole."""


def integral(domain: Domain, f: Any, **options: Any) -> Tensor:
    """The integrals of a function of the points at two times, or at none."""
    place = Integral("i", of=f, equals=0.0, **options).place(domain)
    x = place.check_points(torch.empty(0, dtype=torch.float64))
    return place.integral(f(place.at(x, domain.names)))


def times(domain: Domain) -> int:
    return 2 if "t" in domain and domain.spatial != ("t",) else 1


@pytest.mark.parametrize(
    ("domain", "f", "where", "exact"),
    [
        (Box(x=(-1, 2)), lambda p: p.x**9, None, (2**10 - 1) / 10),
        (Box(x=(-1, 2), y=(0, 1), t=(0, 5)), lambda p: p.x**5 * p.y**7, None, 63 / 6 / 8),
        (Box(x=(0, 1), y=(0, 1), z=(0, 2)), lambda p: p.x * p.y**2 * p.z**3, None, 4 / 6),
        (Box(x=(0, 1), y=(0, 1), t=(0, 1)), lambda p: p.x**3 * p.normal.x + p.y**2 * p.normal.y, ("x", "y"), 2.0),
        (Box(x=(0, 1), t=(0, 1)), lambda p: (p.x + 1) ** 2 * p.normal.x, "x", 3.0),
        (SQUARE - HOLE, lambda p: p.x**4 * p.y**2, ("x",), 4 / 3),
        (Box(t=(0, 2)), lambda p: p.t**3, None, 4.0),
    ],
)
def test_polynomials_on_boxes_and_walls_are_exact(domain: Domain, f: Any, where: Any, exact: float) -> None:
    assert integral(domain, f, where=where).tolist() == pytest.approx([exact] * times(domain), rel=1e-12)


@pytest.mark.parametrize(
    ("domain", "f", "options", "exact"),
    [
        (HOLE, lambda p: 1 + 0 * p.x, {}, math.pi / 4),
        (HOLE, lambda p: p.x**2, {}, MOMENT),
        (HOLE, lambda p: p.x**2, {"nodes": 300}, MOMENT),
        (SQUARE - HOLE, lambda p: p.x**2, {}, 4 / 3 - MOMENT),
        (SQUARE & Box(t=(0, 1)), lambda p: p.x**2, {"within": HOLE}, MOMENT),
        (SQUARE, lambda p: p.x**2, {"within": Box(x=(0.0, 1.0))}, 2 / 3),
        (SQUARE - HOLE, lambda p: p.x**3 * p.normal.x, {"where": HOLE}, -3 * MOMENT),
        (SQUARE - HOLE, lambda p: 1 + 0 * p.x, {"where": HOLE}, math.pi),
        (SQUARE - HOLE, lambda p: p.y * p.normal.y, {"where": (HOLE, lambda p: p.y > 0)}, -math.pi / 8),
        (SQUARE - HOLE, lambda p: p.x**3 * p.normal.x, {"where": (HOLE, "x", "y")}, 3 * (4 / 3 - MOMENT)),
        (Polygon(x=(0, 1, 0), y=(0, 0, 1)), lambda p: p.x * p.y, {}, 1 / 24),
        (Ball(x=0, y=0, z=0, radius=1) & Box(t=(0, 1)), lambda p: p.x**2, {}, 4 * math.pi / 15),
        (Box(**dict.fromkeys("abcdefgh", (0.0, 1.0))), lambda p: p.a * p.b, {}, 1 / 4),
    ],
)  # fmt: skip
def test_shapes_and_curves_are_integrated(domain: Domain, f: Any, options: Any, exact: float) -> None:
    assert integral(domain, f, **options).tolist() == pytest.approx([exact] * times(domain), rel=1e-3)


@pytest.mark.parametrize("boundary", [SQUARE - HOLE, Polygon(x=(0, 1, 0), y=(0, 0, 1))])
def test_the_divergence_theorem_holds(boundary: Domain) -> None:
    def flux(p: Any) -> Tensor:
        return torch.exp(p.x) * torch.sin(p.y) * p.normal.x + p.x * p.y**2 * p.normal.y

    inside = integral(boundary, lambda p: torch.exp(p.x) * torch.sin(p.y) + 2 * p.x * p.y)
    outside = integral(boundary, flux, where=boundary)
    length = integral(boundary, lambda p: 1 + 0 * p.x, where=boundary)
    assert float((inside - outside).abs()) <= 3e-4 * float(length)


def test_nodes_and_weights_fit_the_dtype_and_each_other() -> None:
    domain = (SQUARE - HOLE) & Box(t=(1.0, 3.0))
    place = Integral("i", of=lambda p, u: u, equals=0.0, where=HOLE).place(domain)
    x = place.draw(5, lambda d, n: torch.rand(n, d))
    assert x.dtype == torch.float32 and x.shape == (5 * len(place), 3)
    assert torch.equal(place.instants(x).expand(5, 1), x[:5, 2:]) and torch.equal(x[:5, 2], x[-5:, 2])
    normal = place.at(x, domain.names).normal.tensor
    assert torch.allclose(normal[:, :2], (torch.tensor([0.3, 0.0]) - x[:, :2]) / 0.5, atol=1e-5)
    assert not normal[:, 2].any() and bool((place.weights > 0).all())
    assert place.measure == pytest.approx(math.pi, rel=1e-4)
    whole = Integral("i", of=lambda p, u: u, equals=0.0).place(domain)
    assert whole.measure == pytest.approx(4 - math.pi / 4, rel=1e-3)
