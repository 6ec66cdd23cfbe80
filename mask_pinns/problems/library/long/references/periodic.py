"""Fourier series on periodic intervals, for the scripts that make references: two integrators, and values on a grid.

Both are for v' = L v + N(v), L diagonal and N from modes to modes, and give the modes at equidistant times.
"""

from collections.abc import Callable

import numpy as np

from mask_pinns.problems.library.references.etdrk4 import etdrk4

Slope = Callable[[np.ndarray], np.ndarray]


def frames_by_etdrk4(linear: np.ndarray, nonlinear: Slope, v: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """Modes at times, (times, K), from those at the first one, v (K,), in so many steps from time to time."""
    march, states = etdrk4(linear, nonlinear, (times[1] - times[0]) / steps), [v]
    for _ in times[1:]:
        states.append(march(states[-1], steps))
    return np.stack(states)


def frames_by_rk4(linear: np.ndarray, nonlinear: Slope, v: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """The same by the classical Runge-Kutta method for exp(-L t) v (an integrating factor)."""
    dt = (times[1] - times[0]) / steps
    half, states = np.exp(dt * linear / 2), [v]
    for _ in times[1:]:
        for _ in range(steps):
            a = dt * nonlinear(v)
            b = dt * nonlinear(half * (v + a / 2))
            c = dt * nonlinear(half * v + b / 2)
            d = dt * nonlinear(half * (half * v + c))
            v = half * (half * (v + a / 6) + b / 3 + c / 3) + d / 6
        states.append(v)
    return np.stack(states)


def closed(values: np.ndarray) -> np.ndarray:
    """Values (points, ...) of a period with those at its end, which are those at its start."""
    return np.concatenate([values, values[:1]])
