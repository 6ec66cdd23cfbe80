"""Stored references: each solves its problem's equation and conditions, and passes a check made for it alone."""

from __future__ import annotations

from math import factorial, pi

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.integrate import quad, solve_ivp

from mask_pinns import PROBLEMS, Problem
from mask_pinns.domains import Points
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.problems.conditions import Initial
from mask_pinns.problems.evaluation_grid import mesh
from mask_pinns.problems.fields import Field
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")

STORED = [
    name
    for name, problem in ((name, make_problem(name)) for name in PROBLEMS)
    if problem.reference is not None and (*problem.evaluation().axes, *problem.fields) == ("x", "t", "u")
    and not problem.unknown_numbers
]  # fmt: skip
"""Those of a field u on a grid of x and t, each of its own problem; see test_references_of_systems.py for more fields,
test_references_of_shapes.py for those on scattered points."""
OTHER = {
    "burgers": {"nu": 0.004}, "kdv": {"delta": 0.03}, "allen_cahn": {"epsilon": 2e-4},
    "burgers_periodic": {"nu": 0.012}, "kuramoto_sivashinsky": {"b": 0.4},
}  # fmt: skip
RESOLVED = {"kuramoto_sivashinsky": 0.1}
"""The share of the grid on which finite differences can be trusted, if not a quarter: this one's slopes reach 1e3."""
MARGIN = 5  # rows and columns that finite differences leave out


def values_of(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, t and u (x by t)."""
    grid = make_problem(name).evaluation()
    return grid.axes["x"].numpy(), grid.axes["t"].numpy(), grid.values[:, 0].reshape(grid.shape).numpy()


def differences(u: np.ndarray, axis: int, order: int, step: float, reach: int) -> np.ndarray:
    """The derivative along an axis by central differences over 2 reach + 1 points, MARGIN points short at each end."""
    offsets = np.arange(-reach, reach + 1.0)
    wanted = np.where(np.arange(len(offsets)) == order, factorial(order), 0.0)
    weights = np.linalg.solve(offsets ** np.arange(len(offsets))[:, None], wanted)
    inner = np.take(u, np.arange(MARGIN - reach, u.shape[axis] - MARGIN + reach), axis)
    return sliding_window_view(inner, len(offsets), axis) @ weights / step**order


def residual(problem: Problem, name: str, reach: int) -> np.ndarray:
    """The problem's own residual on the reference `name`, its derivatives by finite differences."""
    x, t, u = values_of(name)
    inside = slice(MARGIN, -MARGIN)
    derivatives = Derivatives(problem.derivatives)
    streams = {"": u[inside, inside]}
    for m in derivatives.indices[1:]:
        axis = problem.domain.names.index(m[0])
        assert set(m) == {m[0]}, "no mixed derivatives"
        along = differences(u, axis, len(m), (x, t)[axis][1] - (x, t)[axis][0], reach)
        streams[m] = along[:, inside] if axis == 0 else along[inside]
    points = mesh([torch.from_numpy(x[inside]), torch.from_numpy(t[inside])])
    jet = Jet(derivatives, {m: torch.from_numpy(np.ascontiguousarray(s)).reshape(-1, 1) for m, s in streams.items()})
    field = Field(jet, 0, "u", problem.domain.names, problem.title)
    return problem.residual(Points(points, problem.domain.names), field).numpy()


def trusted(name: str) -> np.ndarray:
    """Where differences over 7, 9 and 11 points agree: the grid resolves the solution there."""
    residuals = np.stack([residual(make_problem(name), name, reach) for reach in (3, 4, 5)])
    return np.ptp(residuals, 0) < 1e-4


@pytest.mark.parametrize("name", STORED)
def test_references_solve_the_equation_that_the_problem_declares(name: str) -> None:
    where = trusted(name)
    assert where.mean() > RESOLVED.get(name, 0.25)
    assert np.abs(residual(make_problem(name), name, 5)[where]).max() < 1e-3


@pytest.mark.parametrize("name", STORED)
def test_references_do_not_solve_another_equation(name: str) -> None:
    """The check above can fail: at another coefficient it does."""
    problem = PROBLEMS[name](**OTHER[name])
    assert np.abs(residual(problem, name, 5)[trusted(name)]).max() > 1e-2


@pytest.mark.parametrize("name", STORED)
def test_references_begin_and_end_as_declared(name: str) -> None:
    problem = make_problem(name)
    x, t, u = values_of(name)
    assert (x[0], x[-1], t[0], t[-1]) == (*problem.domain["x"], *problem.domain["t"])
    (initial,) = (c for c in problem.conditions if isinstance(c, Initial))
    target = initial.targets["u"](Points(torch.from_numpy(np.stack([x, 0 * x], 1)), ("x", "t")))
    np.testing.assert_allclose(u[:, 0], target.numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(u[0], u[-1], rtol=0, atol=1e-14)  # periodic, or the same fixed values


@pytest.mark.parametrize("name", STORED)
def test_no_reference_at_another_coefficient(name: str) -> None:
    assert PROBLEMS[name](**OTHER[name]).evaluation().values is None


def test_burgers_reference_by_an_independent_quadrature() -> None:
    """Cole-Hopf by adaptive quadrature (QUADPACK), against the stored trapezoidal values."""
    x, t, u = values_of("burgers")
    nu = 0.01 / pi

    def integral(x: float, t: float, weight) -> float:
        peak = 1 / (2 * pi * nu)

        def f(y: float) -> float:
            return weight(x - y) * np.exp(-np.cos(pi * (x - y)) / (2 * pi * nu) - y**2 / (4 * nu * t) - peak)

        return quad(f, -2, 2, epsabs=0, epsrel=1e-13, limit=500, points=[0.0, x])[0]

    for i, j in [(100, 30), (130, 100), (64, 50), (120, 77)]:
        expected = -integral(x[i], t[j], lambda y: np.sin(pi * y)) / integral(x[i], t[j], lambda y: 1.0)
        assert u[i, j] == pytest.approx(expected, abs=1e-10)


def test_kdv_reference_conserves_mass_momentum_and_energy() -> None:
    """256 points resolve the solitons to 1e-11, so that the trapezoidal rule gives the integrals as well."""
    u = values_of("kdv")[2][:-1]
    k = np.pi * np.arange(129)[:, None]
    u_x = np.fft.irfft(1j * k * (k < 128 * np.pi) * np.fft.rfft(u, axis=0), axis=0)
    for density in (u, u**2, u**3 / 3 - 0.022**2 * u_x**2):
        integral = 2 * density.mean(0)
        np.testing.assert_allclose(integral, integral[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("frame", [0, 37, 99])
def test_kdv_reference_leads_from_frame_to_frame(frame: int) -> None:
    """The stored state, taken one frame on by an explicit method of order 8 with error control, is the next one."""
    _, t, u = values_of("kdv")
    k = np.pi * np.arange(129) * (np.arange(129) < 128)
    rotation = 1j * 0.022**2 * k**3

    def slope(s: float, w: np.ndarray) -> np.ndarray:
        return -0.5j * k * np.exp(-rotation * s) * np.fft.rfft(np.fft.irfft(np.exp(rotation * s) * w) ** 2)

    start = np.fft.rfft(u[:-1, frame])
    w = solve_ivp(slope, (0, t[1]), start, method="DOP853", rtol=1e-12, atol=1e-10).y[:, -1]
    np.testing.assert_allclose(np.fft.irfft(np.exp(rotation * t[1]) * w), u[:-1, frame + 1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("frame", [0, 37, 70, 99])
def test_kuramoto_sivashinsky_reference_leads_from_frame_to_frame(frame: int) -> None:
    """In the chaotic part too, where finite differences cannot be trusted: 90 modes by the same explicit method."""
    _, t, u = values_of("kuramoto_sivashinsky")
    k = np.arange(129.0) * (np.arange(129) < 90)

    def slope(_: float, v: np.ndarray) -> np.ndarray:
        u = np.fft.irfft(v)
        return (100 / 16**2 * k**2 - 100 / 16**4 * k**4) * v - 50j / 16 * k * np.fft.rfft(u * u)

    v = solve_ivp(slope, (0, t[1]), np.fft.rfft(u[:-1, frame]), method="DOP853", rtol=1e-11, atol=1e-9).y[:, -1]
    np.testing.assert_allclose(np.fft.irfft(v), u[:-1, frame + 1], rtol=0, atol=1e-6)


def test_allen_cahn_reference_by_plain_finite_differences() -> None:
    """Second-order differences on half the domain, u_x = 0 at its ends, extrapolated from two grids; LSODA in time."""
    _, t, u = values_of("allen_cahn")
    np.testing.assert_array_equal(u, u[::-1])

    def solve(n: int) -> np.ndarray:
        y = np.linspace(0, 1, n + 1)

        def slope(_: float, v: np.ndarray) -> np.ndarray:
            wide = np.concatenate([v[1:2], v, v[-2:-1]])
            return 1e-4 * n**2 * (wide[2:] - 2 * v + wide[:-2]) + 5 * v - 5 * v**3

        options = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-10, "lband": 1, "uband": 1}
        return solve_ivp(slope, (0, 1), y**2 * np.cos(pi * y), t_eval=t[[50, 100]], **options).y[:: n // 128]

    coarse, fine = solve(1024), solve(2048)
    np.testing.assert_allclose(fine + (fine - coarse) / 3, u[128:, [50, 100]], rtol=0, atol=1e-6)
