"""Exponential time differencing with fourth-order Runge-Kutta, for the scripts that make references.

v' = L v + N(v), L diagonal (a Fourier method's stiff part): L is integrated exactly, N by Cox & Matthews' scheme
(J. Comput. Phys. 176, 2002), its coefficients by contour means (Kassam & Trefethen, SIAM J. Sci. Comput. 26, 2005).
"""

from collections.abc import Callable

import numpy as np

CONTOUR = np.exp(2j * np.pi * (np.arange(64) + 0.5) / 64)
"""Points around each L dt, over which coefficients are averaged: the formulas cancel near L dt = 0."""


def etdrk4(
    linear: np.ndarray, nonlinear: Callable[[np.ndarray], np.ndarray], dt: float
) -> Callable[[np.ndarray, int], np.ndarray]:
    """The function march(v, steps), which returns v after so many steps of length dt. v, linear: (K,), K modes."""
    whole, half = np.exp(dt * linear), np.exp(dt * linear / 2)
    z = dt * linear[:, None] + CONTOUR  # (K, 64)
    e = np.exp(z)

    def mean(values: np.ndarray) -> np.ndarray:
        average = dt * values.mean(1)
        return average if np.iscomplexobj(linear) else average.real

    inner = mean((np.exp(z / 2) - 1) / z)
    first = mean((-4 - z + e * (4 - 3 * z + z**2)) / z**3)
    middle = mean((2 + z + e * (z - 2)) / z**3)
    last = mean((-4 - 3 * z - z**2 + e * (4 - z)) / z**3)

    def march(v: np.ndarray, steps: int) -> np.ndarray:
        for _ in range(steps):
            n = nonlinear(v)
            a = half * v + inner * n
            n_a = nonlinear(a)
            n_b = nonlinear(half * v + inner * n_a)
            n_c = nonlinear(half * a + inner * (2 * n_b - n))
            v = whole * v + first * n + 2 * middle * (n_a + n_b) + last * n_c
        return v

    return march
