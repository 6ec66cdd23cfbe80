"""Makes allen_cahn.npz, a spectral solution of the Allen-Cahn equation, and checks it by finite elements.

    python mask_pinns/problems/library/references/allen_cahn.py

u_t = epsilon u_xx + 5 u - 5 u^3, u(x, 0) = x^2 cos(pi x), x in [-1, 1] periodic. The initial values have a kink where
the ends meet: the slope is -2 on one side and 2 on the other. So the solution, even in x, has u_x = 0 there for t > 0,
and a layer of width sqrt(epsilon t) in which u rises above its initial value by about 4 sqrt(epsilon t / pi).

Cosine series, stepped by ETDRK4. The kink has no lasting effect on the error: the series starts from the analytical
coefficients, which fall as 2 / k^2; those cut off would have decayed within 1 / (epsilon k^2); and the first time steps
grow from 1e-9. The check is independent: spectral elements in the weak form (du/dn = 0 at x = 0 and 1), finer towards
the kink, stepped by SciPy's Radau IIA.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.polynomial import legendre
from scipy.integrate import solve_ivp
from scipy.sparse import csc_array, diags_array

from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.references.etdrk4 import etdrk4

EPSILON, RATE = 1e-4, 5.0
X = np.linspace(-1.0, 1.0, 257)
T = np.linspace(0.0, 1.0, 101)
HALF = X[X >= 0]
"""The points that determine the solution, which is even."""
FIRST_FRAME_TIMES = T[1] * np.array([0.0, *2.0 ** np.arange(-24, 1)])
"""Times within the first frame, between which the length of the steps is constant."""


def start_coefficients(count: int) -> np.ndarray:
    """c_n with x^2 cos(pi x) = c_0 + 2 sum c_n cos(n pi x): halves of integrals of x^2 cos(m pi x), m = n +- 1."""

    def integral(m: np.ndarray) -> np.ndarray:
        safe = np.where(m == 0, 1, m)
        return np.where(m == 0, 1 / 3, 2 * (-1.0) ** m / (np.pi * safe) ** 2)

    n = np.arange(count)
    return (integral(n + 1) + integral(n - 1)) / 2


def spectral(modes: int, steps_per_frame: int) -> np.ndarray:
    """u at HALF and T, (129, 101), from so many modes; four times as many points evaluate u^3 without aliasing."""
    points = 4 * modes
    linear = RATE - EPSILON * (np.pi * np.arange(modes)) ** 2

    def values(c: np.ndarray) -> np.ndarray:
        return np.fft.irfft(c, points) * points

    def nonlinear(c: np.ndarray) -> np.ndarray:
        u = values(c)
        return -RATE * np.fft.rfft(u * u * u)[:modes].real / points

    c = start_coefficients(modes)
    for duration in np.diff(FIRST_FRAME_TIMES):
        c = etdrk4(linear, nonlinear, duration / steps_per_frame)(c, steps_per_frame)
    march, states = etdrk4(linear, nonlinear, T[1] / steps_per_frame), [c]
    for _ in T[2:]:
        states.append(march(states[-1], steps_per_frame))
    u = np.stack([values(c)[: points // 2 + 1 : points // 2 // (len(HALF) - 1)] for c in states], 1)
    return np.column_stack([HALF**2 * np.cos(np.pi * HALF), u])


def lobatto(p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Lobatto-Legendre nodes on [-1, 1], weights, and the matrix of derivatives, for degree p."""
    top = legendre.Legendre.basis(p)
    x = np.concatenate([[-1.0], np.sort(top.deriv().roots().real), [1.0]])
    gap = x[:, None] - x + np.eye(p + 1)
    slopes = top(x)[:, None] / top(x) / gap * (1 - np.eye(p + 1))
    return x, 2 / (p * (p + 1) * top(x) ** 2), slopes - np.diag(slopes.sum(1))


def elements(p: int, refined: int, frames: range) -> np.ndarray:
    """u at HALF and T[frames]: elements between neighbours of HALF, the last halved `refined` times towards x = 1."""
    ends = np.concatenate([HALF[:-1], 1 - (HALF[-1] - HALF[-2]) * 0.5 ** np.arange(1, refined + 1), [1.0]])
    node, weight, slope = lobatto(p)
    size = p * (len(ends) - 1) + 1
    x, mass, stiffness = np.zeros(size), np.zeros(size), np.zeros((size, size))
    for e, h in enumerate(np.diff(ends)):
        part = slice(p * e, p * e + p + 1)
        x[part] = ends[e] + h * (node + 1) / 2
        mass[part] += weight * h / 2
        stiffness[part, part] += slope.T * weight @ slope * 2 / h
    diffusion = csc_array(-EPSILON * stiffness / mass[:, None])
    u = x**2 * np.cos(np.pi * x)
    states = [u]
    for i, j in pairwise(frames):
        solved = solve_ivp(
            lambda t, u: diffusion @ u + RATE * (u - u**3), (T[i], T[j]), u, method="Radau", rtol=1e-12, atol=1e-13,
            jac=lambda t, u: csc_array(diffusion + diags_array(RATE * (1 - 3 * u**2))),
        )  # fmt: skip
        u = solved.y[:, -1]
        states.append(u)
    return np.stack(states, 1)[[*range(0, p * (len(HALF) - 1), p), -1]]


def main() -> None:
    coarse, fine = spectral(1536, 20), spectral(2048, 40)
    frames = range(0, 101, 10)
    checks = {  # name: (largest difference, largest allowed)
        "spectral, 1536 modes against 2048 with half the step": (np.abs(coarse - fine).max(), 1e-11),
        "spectral against elements": (np.abs(fine[:, frames] - elements(8, 8, frames)).max(), 1e-10),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=np.concatenate([fine[:0:-1], fine]))


if __name__ == "__main__":
    main()
