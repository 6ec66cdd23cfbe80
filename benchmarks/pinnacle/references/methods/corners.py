"""How singular solutions of div(a grad u) = f are at a corner where four blocks meet, for `poisson_blocks`.

u - u(corner) is like r^e g(angle); value and flux, carried around the corner through the four quadrants, must come back
to themselves, which they do if the matrix that carries them has the trace 2.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.optimize import brentq


def exponent(a: Sequence[float]) -> float:
    """The smallest e > 0 of r^e near a corner of four quadrants with such a, in order around it."""

    def trace(e: float) -> float:
        """Less 2: zero if value and flux come back to themselves after a turn around the corner."""
        turn, c, s = np.eye(2), np.cos(e * np.pi / 2), np.sin(e * np.pi / 2)
        for k in a:
            turn = np.array([[c, s / k], [-k * s, c]]) @ turn
        return turn.trace() - 2

    grid = np.linspace(1e-3, 1.001, 2001)
    values = [trace(e) for e in grid]
    first = next(i for i in range(2000) if values[i] * values[i + 1] < 0)
    return float(brentq(trace, grid[first], grid[first + 1]))


def exponents(a: np.ndarray) -> list[float]:
    """Those of the corners inside of the square."""
    return [exponent((a[i, j], a[i + 1, j], a[i + 1, j + 1], a[i, j + 1])) for i, j in product(range(4), repeat=2)]
