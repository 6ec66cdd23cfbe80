"""Makes heat_varying.npz, heat in a square of varying diffusivity with an oscillating source: Heat2d-VC of PINNacle.

    python -m benchmarks.pinnacle.references.heat_varying

u_t - a Lap u = 200 sin(pi x) sin(5 pi y) sin(pi t) on [0, 1]^2, t in [0, 5], a(x, y) = exp(LOG_DIFFUSIVITY); u = 0 at
t = 0 and on the boundary (Hao et al., arXiv 2306.08827, whose a is another one). a stands before the Laplacian, not
inside of it.

Divided by a, the equation is symmetric: M u' + K u = F sin(pi t) with M of the weight 1/a, on the basis of products of
P_k - P_(k+2), Legendre polynomials that vanish on the boundary (Galerkin's method). The modes K v = s M v make it one
ordinary equation each, solved in closed form: nothing is approximated in time.

Checked: the degree changes from one refinement to the next, and the last two must agree; the smallest s of a = 1 is
2 pi^2; the residual of the equation at the points, by differentiating the polynomials.
"""

from functools import partial

import numpy as np
from numpy.polynomial import legendre
from scipy.linalg import eigh

from benchmarks.pinnacle.problems.heat_varying import LOG_DIFFUSIVITY
from benchmarks.pinnacle.references.methods.common import Row, make, options, scattered
from mask_pinns.problems.library.references.checks import require

TIMES = np.linspace(0.0, 5.0, 26)
MORE = 40
"""Nodes of the quadrature along a side, beyond the degree."""


def basis(x: np.ndarray, count: int, derivative: int = 0) -> np.ndarray:
    """P_k - P_(k+2) for k < count at x in [0, 1], or a derivative, (points, count)."""
    factors = np.eye(count + 2, count) - np.eye(count + 2, count, -2)
    return legendre.legval(2 * x - 1, legendre.legder(factors, derivative, scl=2)).T


def diffusivity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(LOG_DIFFUSIVITY.on(x=x, y=y))


def modes(count: int, constant: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """s, the modes (basis, modes), and how much the source excites each; `constant`: for a = 1."""
    node, weight = legendre.leggauss(count + MORE)
    node, weight = (node + 1) / 2, weight / 2
    x, y = (c.ravel() for c in np.meshgrid(node, node, indexing="ij"))
    value, slope = basis(node, count), basis(node, count, 1)
    both = np.kron(value, value)
    weights = np.kron(weight, weight) / (1.0 if constant else diffusivity(x, y))
    mass, stiff = (b.T @ (weight[:, None] * b) for b in (value, slope))
    load = both.T @ (weights * 200 * np.sin(np.pi * x) * np.sin(5 * np.pi * y))
    rate, mode = eigh(np.kron(stiff, mass) + np.kron(mass, stiff), both.T @ (weights[:, None] * both))
    return rate, mode, mode.T @ load


def amplitudes(rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w of w' + s w = sin(pi t), w(0) = 0, and w', each (modes, times)."""
    s, t, squares = rate[:, None], TIMES, (rate**2 + np.pi**2)[:, None]
    w = (s * np.sin(np.pi * t) - np.pi * np.cos(np.pi * t) + np.pi * np.exp(-s * t)) / squares
    return w, np.sin(np.pi * t) - s * w


def solve(count: int, facts: dict[str, object]) -> np.ndarray:
    """u at the points and times; the residual is noted among the facts."""
    rate, mode, excited = modes(count)
    w, w_t = amplitudes(rate)
    x, y = POINTS

    def at(derivative_x: int, derivative_y: int) -> np.ndarray:
        """The modes at the points, (points, modes)."""
        along = basis(x, count, derivative_x)[:, :, None] * basis(y, count, derivative_y)[:, None, :]
        return along.reshape(len(x), -1) @ (mode * excited)

    source = (200 * np.sin(np.pi * x) * np.sin(5 * np.pi * y))[:, None] * np.sin(np.pi * TIMES)
    value = at(0, 0)
    residual = value @ w_t - diffusivity(x, y)[:, None] * ((at(2, 0) + at(0, 2)) @ w) - source
    facts["residual to source (relative L2)"] = float(np.linalg.norm(residual) / np.linalg.norm(source))
    return value @ w


POINTS = scattered([(0.0, 1.0)] * 2, lambda x, y: np.minimum(x * (1 - x), y * (1 - y)) > 0, 600)

if __name__ == "__main__":
    lowest = modes(16, constant=True)[0][0]
    require({"the smallest s of a = 1, to 2 pi^2, less 1": (abs(lowest / (2 * np.pi**2) - 1), 1e-12)})
    around = diffusivity(*(c.ravel() for c in np.meshgrid(*[np.linspace(0, 1, 201)] * 2)))
    facts: dict[str, object] = {"a from": float(around.min()), "a to": float(around.max())}
    refinements = tuple({"count": n} for n in (24, 32, 40, 48))
    method = "Legendre-Galerkin with the weight 1/a, eigenvectors, closed form in time"
    row = Row("heat_varying", method, POINTS, partial(solve, facts=facts), refinements, 1e-10, TIMES, facts)
    make(row, options().record)
