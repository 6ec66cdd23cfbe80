"""Makes burgers_periodic.npz, the Cole-Hopf solution of Burgers' equation, and checks it by a Fourier method.

    python -m mask_pinns.problems.library.long.references.burgers_periodic

u_t + u u_x = nu u_xx, nu = 0.01, u(x, 0) = -sin(pi x), x in [-1, 1] periodic. The integrals of references/burgers.py by
the trapezoidal rule; the check is a Fourier pseudospectral method, dealiased by the 2/3 rule, stepped by ETDRK4, at two
resolutions.
"""

from pathlib import Path

import numpy as np

from mask_pinns.problems.library.long.references.periodic import closed, frames_by_etdrk4
from mask_pinns.problems.library.references.burgers import T, X, cole_hopf
from mask_pinns.problems.library.references.checks import require

NU = 0.01


def spectral(modes: int, steps_per_frame: int) -> np.ndarray:
    """u at X and T, (257, 101)."""
    k = np.pi * np.fft.rfftfreq(modes, 1 / modes)
    resolved = k <= np.pi * modes / 3

    def nonlinear(v: np.ndarray) -> np.ndarray:
        return -0.5j * k * resolved * np.fft.rfft(np.fft.irfft(v * resolved, modes) ** 2)

    start = np.fft.rfft(-np.sin(np.pi * (-1 + 2 * np.arange(modes) / modes)))
    states = frames_by_etdrk4(-NU * k**2, nonlinear, start, T, steps_per_frame)
    return closed(np.fft.irfft(states, modes, axis=1)[:, :: modes // (len(X) - 1)].T)


def quadrature(nodes: int) -> np.ndarray:
    """u at X and T, (257, 101), by Cole-Hopf."""
    return np.stack([cole_hopf(X, t, nodes, NU) for t in T], 1)


def main() -> None:
    u, coarse, fine = quadrature(4_001), spectral(1024, 50), spectral(2048, 100)
    checks = {  # name: (largest difference, largest allowed)
        "quadrature, 4,001 against 8,001 nodes": (np.abs(u - quadrature(8_001)).max(), 1e-13),
        "spectral, 1024 modes in 5,000 steps against 2048 in 10,000": (np.abs(coarse - fine).max(), 1e-10),
        "quadrature against spectral, 2048 modes": (np.abs(u - fine).max(), 1e-11),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=u)


if __name__ == "__main__":
    main()
