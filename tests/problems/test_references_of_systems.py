"""Stored references of several fields on grids: each begins as declared, solves its equations, and not others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from test_references import MARGIN, differences

from mask_pinns import PROBLEMS
from mask_pinns.domains import Points
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.problems import Problem
from mask_pinns.problems.conditions import Initial
from mask_pinns.problems.evaluation_grid import mesh
from mask_pinns.problems.fields import Field
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")

OTHER = {"lorenz": {"r": 28.1}, "ginzburg_landau": {"c": 1.6}, "gray_scott": {"f": 0.05}}
"""Coefficients at which the stored solution is another one's."""


def values_of(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The axes, and all fields on their grid, (*grid, F)."""
    grid = make_problem(name).evaluation()
    axes = {name: axis.numpy() for name, axis in grid.axes.items()}
    return axes, grid.values.reshape(*grid.shape, -1).numpy()


def residuals(problem: Problem, axes: dict[str, np.ndarray], values: np.ndarray) -> torch.Tensor:
    """The problem's own residuals on a grid, (residuals, points), its derivatives by differences over 11 points."""
    names, inside = list(axes), slice(MARGIN, -MARGIN)
    derivatives = Derivatives(problem.derivatives)
    streams = {"": values}
    for m in derivatives.indices[1:]:
        axis = names.index(m[0])
        step = axes[m[0]][1] - axes[m[0]][0]
        streams[m] = differences(values, axis, len(m), step, 5)
    for m, stream in streams.items():
        cut = tuple(slice(None) if m and m[0] == name else inside for name in names)
        streams[m] = torch.from_numpy(np.ascontiguousarray(stream[cut])).reshape(-1, values.shape[-1])
    points = mesh([torch.from_numpy(axis[inside]) for axis in axes.values()])
    jet = Jet(derivatives, streams)
    fields = (Field(jet, i, f, problem.domain.names, problem.title) for i, f in enumerate(problem.fields))
    return torch.stack(list(problem.residual(Points(points, problem.domain.names), *fields).values()))


@pytest.mark.parametrize(("name", "allowed"), [("lorenz", 1e-3), ("ginzburg_landau", 2e-3)])
def test_references_solve_their_equations_and_no_others(name: str, allowed: float) -> None:
    """Differences do not resolve the steepest places to more."""
    axes, values = values_of(name)
    own = residuals(make_problem(name), axes, values).abs()
    assert own.max() < allowed and own.median() < 1e-3 * allowed
    assert residuals(PROBLEMS[name](**OTHER[name]), axes, values).abs().max() > 0.3


@pytest.mark.parametrize("name", OTHER)
def test_references_begin_and_end_as_declared(name: str) -> None:
    problem, (axes, values) = make_problem(name), values_of(name)
    for coordinate, axis in axes.items():
        assert (axis[0], axis[-1]) == problem.domain[coordinate]
        if coordinate != "t":  # periodic
            i = list(axes).index(coordinate)
            np.testing.assert_allclose(values.take(0, i), values.take(-1, i), rtol=0, atol=1e-14)
    (initial,) = (c for c in problem.conditions if isinstance(c, Initial))
    points = mesh([torch.from_numpy(a if n != "t" else a[:1]) for n, a in axes.items()])
    for i, field in enumerate(problem.fields):
        target = initial.targets[field]
        target = target(Points(points, problem.domain.names)).numpy() if callable(target) else np.full(1, target)
        np.testing.assert_allclose(values[..., 0, i].ravel(), target, rtol=0, atol=1e-7)  # in single precision, some


@pytest.mark.parametrize("name", OTHER)
def test_no_reference_at_other_coefficients(name: str) -> None:
    assert PROBLEMS[name](**OTHER[name]).evaluation().values is None


def test_lorenz_reference_from_its_last_state_on() -> None:
    """From t = 15 on by LSODA, whose errors chaos multiplies by 100."""
    axes, values = values_of("lorenz")

    def slope(_: float, w: np.ndarray) -> list[float]:
        x, y, z = w
        return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

    w = solve_ivp(slope, (15, 20), values[1500], method="LSODA", rtol=1e-12, atol=1e-12).y[:, -1]
    assert axes["t"][1500] == 15.0
    np.testing.assert_allclose(values[-1], w, rtol=0, atol=1e-6)


def test_gray_scott_reference_by_plain_finite_differences() -> None:
    """To the second stored time, t = 40: differences and Runge-Kutta of fourth order on 256 x 256 points."""
    _, values = values_of("gray_scott")
    axis = -1 + 2 * np.arange(256) / 256
    x, y = np.meshgrid(axis, axis, indexing="ij")
    start = [1 - np.exp(-80 * ((x + 0.05) ** 2 + (y + 0.02) ** 2)), np.exp(-80 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))]
    diffusion = np.array([1e-5, 5e-6])[:, None, None] * 128**2 / 12

    def slope(w: np.ndarray) -> np.ndarray:
        u, v = w
        near = sum(np.roll(w, s, i) for s in (1, -1) for i in (1, 2))
        far = sum(np.roll(w, s, i) for s in (2, -2) for i in (1, 2))
        eaten = u * v * v
        return diffusion * (16 * near - far - 60 * w) + np.stack([0.04 * (1 - u) - eaten, eaten - 0.1 * v])

    w, dt = np.stack(start), 0.5
    for _ in range(80):
        a = slope(w)
        b = slope(w + dt / 2 * a)
        c = slope(w + dt / 2 * b)
        w = w + dt / 6 * (a + 2 * b + 2 * c + slope(w + dt * c))
    error = np.abs(w[:, ::4, ::4].transpose(1, 2, 0) - values[:-1, :-1, 1])
    assert error.max() < 1e-2 and error.mean() < 1e-4
