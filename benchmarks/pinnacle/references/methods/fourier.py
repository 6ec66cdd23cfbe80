"""Fourier series in the periodic unit square, for the scripts that make references: ETDRK4 for a diffusion.

Modes of two fields are (2, n, n / 2 + 1), on n x n points. references/etdrk4.py has the same scheme for fewer modes: it
averages around each of them, which here is done once for all modes of the same length.
"""

from collections.abc import Callable

import numpy as np

Slope = Callable[[np.ndarray], np.ndarray]


def coefficients(z: np.ndarray) -> np.ndarray:
    """ETDRK4's (references/etdrk4.py) without the factor dt, (6, K), z real."""
    around = z[:, None] + np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
    e = np.exp(around)
    means = [
        (np.exp(around / 2) - 1) / around,
        (-4 - around + e * (4 - 3 * around + around**2)) / around**3,
        2 * (2 + around + e * (around - 2)) / around**3,
        (-4 - 3 * around - around**2 + e * (4 - around)) / around**3,
    ]
    return np.stack([np.exp(z), np.exp(z / 2), *(m.real.mean(1) for m in means)])


def resized(w: np.ndarray, n: int) -> np.ndarray:
    """Modes on n x n points."""
    m = min(n, w.shape[1]) // 2
    to = np.zeros((2, n, n // 2 + 1), w.dtype)
    to[:, :m, :m], to[:, -m:, :m] = w[:, :m, :m], w[:, -m:, :m]
    return to * (n / w.shape[1]) ** 2


class March:
    """Steps of length dt of w' = nu Lap w + slope(w)."""

    def __init__(self, n: int, dt: float, nu: float, slope: Slope) -> None:
        i, j = np.fft.fftfreq(n, 1 / n), np.arange(n // 2 + 1)
        square, where = np.unique((i**2)[:, None] + j**2, return_inverse=True)
        parts = [coefficients(-dt * nu * (2 * np.pi) ** 2 * s) for s in np.array_split(square, 50)]
        table = np.concatenate(parts, 1)
        table[2:] *= dt
        self.whole, self.half, self.inner, self.first, self.middle, self.last = table[:, where]
        self.slope = slope

    def step(self, w: np.ndarray) -> np.ndarray:
        n = self.slope(w)
        w_half = self.half * w
        a = w_half + self.inner * n
        n_a = self.slope(a)
        n_b = self.slope(w_half + self.inner * n_a)
        n_c = self.slope(self.half * a + self.inner * (2 * n_b - n))
        return self.whole * w + self.first * n + self.middle * (n_a + n_b) + self.last * n_c
