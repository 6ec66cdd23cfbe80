"""Makes gray_scott.npz, a spectral solution in the plane, and checks it at two resolutions and by another integrator.

    python -m mask_pinns.problems.library.long.references.gray_scott

u_t = d Lap u + f (1 - u) - u v^2, v_t = e Lap v - k v + u v^2, d = 1e-5, e = 5e-6, f = 0.04, k = 0.1, x and y in
[-1, 1] periodic, started from two Gaussians. Fourier pseudospectral method, stepped by ETDRK4; the fronts are resolved,
so that aliasing is part of the error that the resolutions show. The check: the classical Runge-Kutta method with an
integrating factor and other modes. Stored are 65 x 65 points (the last row and column repeat the first ones) at
6 times.
"""

from pathlib import Path

import numpy as np
from scipy import fft

from mask_pinns.problems.library.long.references.periodic import closed, frames_by_etdrk4, frames_by_rk4
from mask_pinns.problems.library.references.checks import require

D, E, FEED, KILL = 1e-5, 5e-6, 0.04, 0.1
X = np.linspace(-1.0, 1.0, 65)
T = np.linspace(0.0, 200.0, 6)


def start(points: int) -> np.ndarray:
    """u and v, (2, points, points)."""
    axis = -1 + 2 * np.arange(points) / points
    x, y = np.meshgrid(axis, axis, indexing="ij")
    u = 1 - np.exp(-80 * ((x + 0.05) ** 2 + (y + 0.02) ** 2))
    return np.stack([u, np.exp(-80 * ((x - 0.05) ** 2 + (y - 0.02) ** 2))])


def solve(points: int, steps_per_frame: int, method=frames_by_etdrk4) -> np.ndarray:
    """u and v at X, X and T, (2, 65, 65, 6)."""
    k = np.pi * np.fft.fftfreq(points, 1 / points)
    square = k[:, None] ** 2 + np.abs(k[: points // 2 + 1]) ** 2
    shape, coarser = (2, *square.shape), points // (len(X) - 1)

    def values(w: np.ndarray) -> np.ndarray:
        return fft.irfft2(w.reshape(shape), s=(points, points))

    def nonlinear(w: np.ndarray) -> np.ndarray:
        u, v = values(w)
        eaten = fft.rfft2(u * v * v)
        change = np.stack([-eaten, eaten])
        change[0, 0, 0] += FEED * points**2
        return change.ravel()

    linear = np.stack([-D * square - FEED, -E * square - KILL]).ravel()
    states = method(linear, nonlinear, fft.rfft2(start(points)).ravel(), T, steps_per_frame)
    frames = np.stack([values(w)[:, ::coarser, ::coarser] for w in states])  # (6, 2, 64, 64)
    return closed(closed(frames.transpose(2, 3, 1, 0)).swapaxes(0, 1)).transpose(2, 1, 0, 3)


def main() -> None:
    coarse, fine, other = solve(384, 160), solve(512, 320), solve(448, 200, frames_by_rk4)
    checks = {  # name: (largest difference, largest allowed)
        "ETDRK4, 384 x 384 modes in 800 steps against 512 x 512 in 1,600": (np.abs(coarse - fine).max(), 1e-5),
        "ETDRK4 against Runge-Kutta, 448 x 448 modes in 1,000 steps": (np.abs(fine - other).max(), 1e-5),
    }
    require(checks)
    u, v = fine.astype(np.float32)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, y=X, t=T, u=u, v=v)


if __name__ == "__main__":
    main()
