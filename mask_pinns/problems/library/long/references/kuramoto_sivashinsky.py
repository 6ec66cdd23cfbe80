"""Makes kuramoto_sivashinsky.npz, a spectral solution, and checks it at two resolutions and by another integrator.

    python -m mask_pinns.problems.library.long.references.kuramoto_sivashinsky

u_t + a u u_x + b u_xx + c u_xxxx = 0, a = 100/16, b = 100/16^2, c = 100/16^4, u(x, 0) = cos x (1 + sin x), x in
[0, 2 pi] periodic. Fourier pseudospectral method, dealiased by the 2/3 rule, stepped by ETDRK4. Chaos multiplies
errors, those of rounding too: the differences below, 7e-8 and 1e-8, are large beside those of other references.
The check: the classical Runge-Kutta method with an integrating factor, in the form (u u_x + (u^2)_x) / 3, with other
modes and not dealiased.
"""

from pathlib import Path

import numpy as np

from mask_pinns.problems.library.long.references.periodic import closed, frames_by_etdrk4, frames_by_rk4
from mask_pinns.problems.library.references.checks import require

ADVECTION, GROWTH, DAMPING = 100 / 16, 100 / 16**2, 100 / 16**4
X = np.linspace(0.0, 2 * np.pi, 257)
T = np.linspace(0.0, 1.0, 101)


def start(modes: int) -> np.ndarray:
    x = 2 * np.pi * np.arange(modes) / modes
    return np.fft.rfft(np.cos(x) * (1 + np.sin(x)))


def linear(modes: int) -> np.ndarray:
    k = np.fft.rfftfreq(modes, 1 / modes)
    return GROWTH * k**2 - DAMPING * k**4


def at_x(states: np.ndarray, modes: int) -> np.ndarray:
    """Values at X from Fourier coefficients (times, K), (257, times)."""
    points = 256 * -(-modes // 256)
    return closed(np.fft.irfft(states, points, axis=1)[:, :: points // 256].T * points / modes)


def spectral(modes: int, steps_per_frame: int) -> np.ndarray:
    """u at X and T, (257, 101)."""
    k = np.fft.rfftfreq(modes, 1 / modes)
    resolved = k <= modes / 3

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return -0.5j * ADVECTION * k * resolved * np.fft.rfft(np.fft.irfft(v * resolved, modes) ** 2)

    return at_x(frames_by_etdrk4(linear(modes), nonlinear, start(modes), T, steps_per_frame), modes)


def other(modes: int, steps_per_frame: int) -> np.ndarray:
    """The same by another method, see above."""
    k = np.fft.rfftfreq(modes, 1 / modes)
    inside = k < modes / 2  # the last mode's derivative is not real

    def nonlinear(v: np.ndarray) -> np.ndarray:
        u, u_x = np.fft.irfft(v, modes), np.fft.irfft(1j * k * inside * v, modes)
        return -ADVECTION * (np.fft.rfft(u * u_x) + 1j * k * inside * np.fft.rfft(u * u)) / 3

    return at_x(frames_by_rk4(linear(modes), nonlinear, start(modes), T, steps_per_frame), modes)


def main() -> None:
    coarse, fine = spectral(384, 200), spectral(512, 400)
    checks = {  # name: (largest difference, largest allowed)
        "spectral, 384 modes in 20,000 steps against 512 in 40,000": (np.abs(coarse - fine).max(), 1e-7),
        "spectral against Runge-Kutta, 320 modes in 100,000 steps": (np.abs(fine - other(320, 1000)).max(), 1e-7),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=fine)


if __name__ == "__main__":
    main()
