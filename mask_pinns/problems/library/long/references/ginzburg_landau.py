"""Makes ginzburg_landau.npz, a spectral solution, and checks it at two resolutions and by another integrator.

    python -m mask_pinns.problems.library.long.references.ginzburg_landau

A_t = eps A_xx + k (A - (1 + i c) |A|^2 A), eps = 0.004, k = 10, c = 1.5, A(x, 0) = (cos(pi x) + i sin(2 pi x)) / 2,
x in [-1, 1] periodic. Fourier pseudospectral method, the cubic term without aliasing of the lower half of the modes,
the only ones that are kept; stepped by ETDRK4. The check: SciPy's DOP853 on the values at the points, all modes kept,
with the diffusion by the matrix of the trigonometric interpolant's second derivative (Fornberg 1996).
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import toeplitz

from mask_pinns.problems.library.long.references.periodic import closed, frames_by_etdrk4
from mask_pinns.problems.library.references.checks import require

EPS, RATE, TURN = 0.004, 10.0, 1.5
X = np.linspace(-1.0, 1.0, 257)
T = np.linspace(0.0, 1.0, 51)


def start(modes: int) -> np.ndarray:
    """A at equidistant points."""
    x = -1 + 2 * np.arange(modes) / modes
    return (np.cos(np.pi * x) + 1j * np.sin(2 * np.pi * x)) / 2


def reaction(a: np.ndarray) -> np.ndarray:
    return -RATE * (1 + 1j * TURN) * a * (a.real**2 + a.imag**2)


def spectral(modes: int, steps_per_frame: int) -> np.ndarray:
    """A at X and T, (257, 51)."""
    k = np.pi * np.fft.fftfreq(modes, 1 / modes)
    kept = np.abs(k) < np.pi * modes / 4

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return kept * np.fft.fft(reaction(np.fft.ifft(v)))

    states = frames_by_etdrk4(RATE - EPS * k**2, nonlinear, kept * np.fft.fft(start(modes)), T, steps_per_frame)
    return closed(np.fft.ifft(states, axis=1)[:, :: modes // (len(X) - 1)].T)


def explicit(points: int) -> np.ndarray:
    """The same by DOP853."""
    h, n = 2 * np.pi / points, np.arange(1, points)
    row = np.append(-(np.pi**2) / (3 * h**2) - 1 / 6, -((-1.0) ** n) / (2 * np.sin(n * h / 2) ** 2))
    diffusion = EPS * np.pi**2 * toeplitz(row)

    def slope(t: float, w: np.ndarray) -> np.ndarray:
        a = w[:points] + 1j * w[points:]
        slope = diffusion @ w.reshape(2, points).T
        change = RATE * a + reaction(a)
        return np.concatenate([slope[:, 0] + change.real, slope[:, 1] + change.imag])

    a = start(points)
    w = np.concatenate([a.real, a.imag])
    states = [w]
    for before, after in pairwise(T):  # from frame to frame: interpolation in time is less accurate
        w = solve_ivp(slope, (before, after), w, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
        states.append(w)
    w = np.stack(states, 1)
    return closed((w[:points] + 1j * w[points:])[:: points // (len(X) - 1)])


def main() -> None:
    coarse, fine = spectral(768, 60), spectral(1024, 80)
    checks = {  # name: (largest difference, largest allowed)
        "spectral, 768 modes in 3,000 steps against 1024 in 4,000": (np.abs(coarse - fine).max(), 1e-8),
        "spectral against DOP853 with 512 points": (np.abs(fine - explicit(512)).max(), 1e-8),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=fine.real, v=fine.imag)


if __name__ == "__main__":
    main()
