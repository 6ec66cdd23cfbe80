"""Stored references on scattered points: each solves its equation and conditions, by checks that need no ngsolve.

Where the solution is smooth, it is a short sum of functions that solve the equation exactly. Such a sum is fitted to
the stored values; what is left over is the error of the values, if they solve the equation, and large if they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.polynomial.chebyshev import chebder, chebval
from scipy.special import iv, kv

from mask_pinns.problems.library.shapes.references import back_step, lid_cavity, pipes, poisson_boltzmann
from mask_pinns.problems.library.shapes.references.poisson_boltzmann import particular
from mask_pinns.problems.library.shapes.references.scattered import Reference, far_from

FOLDER = Path(pipes.__file__).parent
REFERENCES = [pipes.REFERENCE, poisson_boltzmann.REFERENCE, lid_cavity.REFERENCE]
REFERENCES += [back_step.REFERENCE, back_step.NO_BACKFLOW]


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


Triple = tuple[float, float, float]
Given = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def no_slip(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 0 * x, 0 * x


def lid(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without divergence, and as declared on the lid."""
    return 4 * x * (1 - x), 4 * (1 - 2 * x) * (1 - y)


def inlet(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 4 * y * (1 - y), 0 * x


def polynomials(x: np.ndarray, y: np.ndarray, degree: int, derivative: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Products of Chebyshev polynomials up to a total degree, or a derivative of theirs, (points, terms)."""

    def along(s: np.ndarray, order: int) -> np.ndarray:
        rows = np.eye(degree + 1)
        return np.stack([chebval(s, chebder(row, order) if order else row) for row in rows], 1)

    a, b = along(x, derivative[0]), along(y, derivative[1])
    return np.stack([a[:, i] * b[:, j] for i in range(degree + 1) for j in range(degree + 1 - i)], 1)


def momentum_residual(name: str, center: tuple[float, float], radius: float, degree: int) -> float:
    """The largest residual of the momentum equation in a disk, relative to its largest term, of polynomials that are
    fitted to the stored values: a stream function, so that div u = 0, and the pressure."""
    data = stored(name)
    x, y = (data["x"] - center[0]) / radius, (data["y"] - center[1]) / radius
    near = np.hypot(x, y) < 1
    x, y, u, v, p = x[near], y[near], data["u"][near], data["v"][near], data["P"][near]

    def derivative(i: int, j: int, of: int = degree) -> np.ndarray:
        return polynomials(x, y, of, (i, j)) / radius ** (i + j)

    stream = np.vstack([derivative(0, 1), -derivative(1, 0)])[:, 1:]
    c = np.append(0, np.linalg.lstsq(stream, np.concatenate([u, v]), rcond=None)[0])
    d = np.linalg.lstsq(derivative(0, 0, degree - 2), p, rcond=None)[0]
    inner = np.hypot(x, y) < 0.7  # differentiation enlarges errors most at the rim
    worst = 0.0
    for s, (i, j) in ((1, (0, 1)), (-1, (1, 0))):  # u = psi_y, v = -psi_x
        carried = s * (u * (derivative(i + 1, j) @ c) + v * (derivative(i, j + 1) @ c))
        viscous = 0.01 * s * (derivative(i + 2, j) @ c + derivative(i, j + 2) @ c)
        push = derivative(j, i, degree - 2) @ d
        worst = max(worst, np.abs(carried - viscous + push)[inner].max() / np.abs(carried)[inner].max())
    return worst


def left_over_at_wall(name: str, line: Triple, disk: Triple, given: Given = no_slip, degree: int = 10) -> float:
    """What stream functions with the declared velocity on a line, a x + b y + c = 0, leave over in a disk."""
    data, (a, b, c), (middle_x, middle_y, radius) = stored(name), line, disk
    near = np.hypot(data["x"] - middle_x, data["y"] - middle_y) < radius
    x, y, u, v = (data[key][near] for key in "xyuv")
    s, t, gap = (x - middle_x) / radius, (y - middle_y) / radius, (a * x + b * y + c)[:, None]
    q, q_x, q_y = (polynomials(s, t, degree, order) for order in ((0, 0), (1, 0), (0, 1)))
    stream = np.vstack([2 * b * gap * q + gap**2 * q_y / radius, -2 * a * gap * q - gap**2 * q_x / radius])
    return left_over(stream, np.concatenate([u, v]) - np.concatenate(given(x, y)))


@pytest.mark.parametrize("center", [(0.5, 0.5), (0.3, 0.3), (0.3, 0.6)])
def test_lid_cavity_conserves_mass_and_momentum(center: tuple[float, float]) -> None:
    assert momentum_residual("lid_cavity", center, radius=0.2, degree=14) < 1e-5


@pytest.mark.parametrize(
    ("line", "disk", "given"),
    [
        ((0, 1, 0), (0.5, 0, 0.2), no_slip),
        ((1, 0, 0), (0, 0.5, 0.2), no_slip),
        ((-1, 0, 1), (1, 0.5, 0.2), no_slip),
        ((0, -1, 1), (0.5, 1, 0.2), lid),
    ],
)
def test_lid_cavity_at_the_walls(line: Triple, disk: Triple, given: Given) -> None:
    assert left_over_at_wall("lid_cavity", line, disk, given) < 1e-6

    def slipping(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(velocity + 1e-3 for velocity in given(x, y))

    assert left_over_at_wall("lid_cavity", line, disk, slipping) > 1e-4


def test_lid_cavity_pressure_is_zero_in_the_corner() -> None:
    data = stored("lid_cavity")
    x, y = data["x"] / 0.15, data["y"] / 0.15
    near = np.hypot(x, y) < 1
    c = np.linalg.lstsq(polynomials(x[near], y[near], 6), data["P"][near], rcond=None)[0]
    assert abs(polynomials(np.zeros(1), np.zeros(1), 6) @ c) < 1e-4


STEPS = ["back_step", "back_step_no_backflow"]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("center", [(1, 0.5), (3, 0.5), (3, 1.5)])
def test_back_step_conserves_mass_and_momentum(name: str, center: tuple[float, float]) -> None:
    assert momentum_residual(name, center, radius=0.4, degree=12) < 1e-3


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(
    ("line", "disk", "given"),
    [
        ((0, 1, 0), (1, 0, 0.4), no_slip),
        ((0, 1, 0), (3, 0, 0.4), no_slip),
        ((0, -1, 1), (1, 1, 0.3), no_slip),
        ((0, -1, 2), (3, 2, 0.4), no_slip),
        ((1, 0, -2), (2, 1.5, 0.3), no_slip),
        ((1, 0, 0), (0, 0.5, 0.4), inlet),
    ],
)
def test_back_step_at_the_walls_and_the_inlet(name: str, line: Triple, disk: Triple, given: Given) -> None:
    assert left_over_at_wall(name, line, disk, given, degree=9) < 5e-6


@pytest.mark.parametrize("name", STEPS)
def test_back_step_at_the_outlet(name: str) -> None:
    """v = 0 and the declared pressure, up to slopes across the layer, whose width is nu / u."""
    data = stored(name)
    gap = 4 - data["x"]
    near = gap < 0.02
    u, v, p, gap = data["u"][near], data["v"][near], data["P"][near], gap[near]
    backflow = -100 * np.minimum(u, 0) ** 2
    expected, other = (0 * p, backflow) if name == "back_step" else (backflow, 0 * p)
    assert (np.abs(p - expected) < 0.2 * gap).all() and (np.abs(v) < 12 * gap).all()
    assert (np.abs(p - other) > 0.2 * gap).any(), "the other outlet"
    assert u.min() < -0.01, "fluid comes in"
