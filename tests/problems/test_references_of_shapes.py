"""Stored references on scattered points: each solves its equation and conditions, by checks that need no ngsolve.

Where the solution is smooth, it is a short sum of functions that solve the equation exactly. Such a sum is fitted to
the stored values; what is left over is the error of the values, if they solve the equation, and large if they do not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import iv, kv

from mask_pinns.problems.library.references import pipes, poisson_boltzmann
from mask_pinns.problems.library.references.poisson_boltzmann import particular
from mask_pinns.problems.library.references.scattered import Reference, far_from

FOLDER = Path(pipes.__file__).parent
REFERENCES = [pipes.REFERENCE, poisson_boltzmann.REFERENCE]


def stored(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as data:
        return dict(data)


def left_over(basis: np.ndarray, values: np.ndarray) -> float:
    """The largest difference between values and their least-squares fit, of which there are many fewer terms."""
    assert len(values) > 1.5 * basis.shape[1], len(values)
    basis = basis / np.linalg.norm(basis, axis=0)
    return float(np.abs(basis @ np.linalg.lstsq(basis, values, rcond=1e-13)[0] - values).max())


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.name)
def test_points_lie_inside_and_evenly(reference: Reference) -> None:
    data = stored(reference.name)
    x, y = data["x"], data["y"]
    assert set(data) == {"x", "y", *reference.fields}
    assert all(array.shape == (3000,) and array.dtype == np.float64 for array in data.values())
    assert all(np.isfinite(array).all() for array in data.values())
    assert reference.inside(x, y).all() and far_from(reference.corners, 1e-3, x, y).all()
    left, right, bottom, top = reference.box
    cells, _, _ = np.histogram2d(x, y, bins=4, range=[[left, right], [bottom, top]])
    sides = np.linspace(0, 1, 402)[1:-1]
    fine = np.meshgrid(left + (right - left) * sides, bottom + (top - bottom) * sides, indexing="ij")
    area = reference.inside(fine[0].ravel(), fine[1].ravel()).reshape(4, 100, 4, 100).mean((1, 3))
    np.testing.assert_allclose(cells / 3000, area / area.sum(), rtol=0, atol=2e-3)


def test_pipes_by_a_shorter_series() -> None:
    """The error is harmonic and largest on the boundary, where it is known."""
    data = stored("pipes")
    series = pipes.solve(multipoles=16, polynomials=8)
    bound = series.boundary_error()
    assert bound < 1e-10
    assert np.abs(series(data["x"], data["y"])[:, 0] - data["u"]).max() < bound + 1e-12


def test_pipes_series_is_harmonic() -> None:
    """Second differences of the basis, which the bound relies on."""
    x, y, h = np.array([0.1, 0.15, -0.4]), np.array([0.05, 0.45, 0.1]), 1e-4
    around = sum(pipes.basis(x + h * a, y + h * b, 6, 4) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)))
    laplacian = (around - 4 * pipes.basis(x, y, 6, 4)) / h**2
    second = (pipes.basis(x + h, y, 6, 4) + pipes.basis(x - h, y, 6, 4) - 2 * pipes.basis(x, y, 6, 4)) / h**2
    assert np.abs(laplacian).max() < 1e-4 * np.abs(second).max()


def left_over_around(disk: tuple[float, float, float], reaction: float, terms: int, width: float) -> float:
    """What Bessel functions, with the declared value on the circle, leave over of the stored values in a ring."""
    data, (a, b, radius), k = stored("poisson_boltzmann"), disk, np.sqrt(reaction)
    near = np.hypot(data["x"] - a, data["y"] - b) < radius + width
    x, y, u = data["x"][near], data["y"][near], data["u"][near]
    r, angle = np.hypot(x - a, y - b)[:, None], np.arctan2(y - b, x - a)[:, None]
    circle = 2 * np.pi * np.arange(256) / 256
    c = np.fft.rfft(1 - particular(a + radius * np.cos(circle), b + radius * np.sin(circle)))[:64] / 128
    m, n = np.arange(64), np.arange(terms)
    c[0] /= 2
    lift = (kv(m, k * r) / kv(m, k * radius) * (c * np.exp(1j * m * angle)).real).sum(1)
    grow = iv(n, k * r) / iv(n, k * radius) - kv(n, k * r) / kv(n, k * radius)
    basis = np.hstack([grow * np.cos(n * angle), (grow * np.sin(n * angle))[:, 1:]])
    return left_over(basis, u - particular(x, y) - lift)


def left_over_at_side(axis: int, side: float, height: float, width: float, terms: int) -> float:
    """The same in a half disk at a side of the square, x = side (axis 0) or y = side (axis 1)."""
    data, k = stored("poisson_boltzmann"), np.sqrt(poisson_boltzmann.REACTION)
    inwards, along = 1 - side * data["xy"[axis]], data["yx"[axis]] - height
    near = np.hypot(inwards, along) < width
    x, y, u, inwards, along = (array[near] for array in (data["x"], data["y"], data["u"], inwards, along))
    wave = (4 * np.pi, np.pi)[axis]
    middle = np.pi / 2 / wave  # where sin(wave s) = 1
    amplitude = particular(*((side, middle) if axis == 0 else (middle, side)))
    lift = 0.2 * np.cosh(k * inwards)
    lift -= amplitude * np.sin(wave * (along + height)) * np.cosh(np.hypot(k, wave) * inwards)
    r, angle, n = np.hypot(inwards, along)[:, None], np.arctan2(inwards, along)[:, None], np.arange(1, terms)
    return left_over(iv(n, k * r) / iv(n, k * width) * np.sin(n * angle), u - particular(x, y) - lift)


@pytest.mark.parametrize(("disk", "terms"), [*zip(poisson_boltzmann.DISKS, (24, 44, 20, 30), strict=True)])
def test_poisson_boltzmann_around_the_disks(disk: tuple[float, float, float], terms: int) -> None:
    assert left_over_around(disk, 64.0, terms, 0.1) < 2e-7
    assert left_over_around(disk, 64.5, terms, 0.1) > 1e-4, "another equation"


@pytest.mark.parametrize(
    ("axis", "side", "height"), [(0, -1, -0.2), (0, -1, -0.5), (0, 1, 0.2), (1, -1, -0.6), (1, -1, 0.4), (1, 1, 0.1)]
)
def test_poisson_boltzmann_at_the_sides(axis: int, side: int, height: float) -> None:
    assert left_over_at_side(axis, side, height, width=0.15, terms=20) < 1e-9
