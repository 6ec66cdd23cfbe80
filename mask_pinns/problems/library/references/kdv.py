"""Makes kdv.npz, a spectral solution of the Korteweg-de Vries equation, and checks it in two ways.

    python mask_pinns/problems/library/references/kdv.py

u_t + u u_x + delta^2 u_xxx = 0, u(x, 0) = cos(pi x), x in [-1, 1] periodic (Zabusky & Kruskal, Phys. Rev. Lett. 15,
1965). Fourier pseudospectral method, dealiased by the 2/3 rule, stepped by ETDRK4, at two resolutions.
Checks: mass, momentum and energy, which the equation conserves but the scheme does not enforce; and another
integrator, an explicit Runge-Kutta method of order 8 with step control (SciPy's DOP853), with an integrating factor
and in the form (u u_x + (u^2)_x) / 3, with other modes.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.references.etdrk4 import etdrk4

DELTA = 0.022
X = np.linspace(-1.0, 1.0, 257)
T = np.linspace(0.0, 1.0, 101)


def wave_numbers(modes: int) -> np.ndarray:
    return np.pi * np.fft.rfftfreq(modes, 1 / modes)


def start(modes: int) -> np.ndarray:
    return np.fft.rfft(np.cos(np.pi * (-1.0 + 2.0 * np.arange(modes) / modes)))


def at_x(states: list[np.ndarray], modes: int) -> np.ndarray:
    """Values at X from Fourier coefficients, (257, number of states)."""
    u = np.stack([np.fft.irfft(v, 1024)[::4] * 1024 / modes for v in states], 1)
    return np.concatenate([u, u[:1]], 0)  # x = 1 is x = -1


def spectral(modes: int, steps_per_frame: int) -> np.ndarray:
    """u at X and T, (257, 101)."""
    k = wave_numbers(modes)
    resolved = k <= np.pi * modes / 3

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return -0.5j * k * resolved * np.fft.rfft(np.fft.irfft(v * resolved, modes) ** 2)

    march = etdrk4(1j * DELTA**2 * k**3, nonlinear, T[1] / steps_per_frame)
    states = [start(modes)]
    for _ in T[1:]:
        states.append(march(states[-1], steps_per_frame))
    return at_x(states, modes)


def explicit(modes: int, frames: range) -> np.ndarray:
    """u at X and at T[frames], by DOP853 on w = exp(-i delta^2 k^3 t) v."""
    k = wave_numbers(modes)
    rotation = 1j * DELTA**2 * k**3
    inside = k < np.pi * modes / 2  # the last mode's derivative is not real

    def slope(t: float, w: np.ndarray) -> np.ndarray:
        v = np.exp(rotation * t) * w
        u, u_x = np.fft.irfft(v, modes), np.fft.irfft(1j * k * inside * v, modes)
        return -np.exp(-rotation * t) * (np.fft.rfft(u * u_x) + 1j * k * inside * np.fft.rfft(u * u)) / 3

    w, states = start(modes), [start(modes)]
    for i, j in pairwise(frames):
        solved = solve_ivp(slope, (T[i], T[j]), w, method="DOP853", rtol=3e-14, atol=1e-13)
        w = solved.y[:, -1]
        states.append(np.exp(rotation * T[j]) * w)
    return at_x(states, modes)


def conserved(u: np.ndarray) -> np.ndarray:
    """Integrals of u, u^2 and u^3 / 3 - delta^2 u_x^2 at every time, (3, 101), without error for Fourier series."""
    u = u[:-1]
    k = np.pi * np.fft.rfftfreq(len(u), 1 / len(u))
    u_x = np.fft.irfft(1j * k[:, None] * np.fft.rfft(u, axis=0), len(u), axis=0)
    return 2 * np.stack([u, u**2, u**3 / 3 - DELTA**2 * u_x**2]).mean(1)


def main() -> None:
    coarse, fine = spectral(512, 200), spectral(1024, 400)
    invariants = conserved(fine)
    frames = range(0, 101, 20)
    checks = {  # name: (largest difference, largest allowed)
        "spectral, 512 modes in 20,000 steps against 1024 in 40,000": (np.abs(coarse - fine).max(), 2e-10),
        "mass, momentum and energy against their initial values": (
            np.abs(invariants.T - invariants[:, 0]).max(),
            1e-11,
        ),
        "spectral against DOP853 with 384 modes": (np.abs(fine[:, frames] - explicit(384, frames)).max(), 2e-10),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=fine)


if __name__ == "__main__":
    main()
