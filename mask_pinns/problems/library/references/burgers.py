"""Makes burgers.npz, the Cole-Hopf solution of Burgers' equation, and checks it against a spectral solution.

    python mask_pinns/problems/library/references/burgers.py

u_t + u u_x = nu u_xx, u(x, 0) = -sin(pi x), x in [-1, 1]. Cole-Hopf: with F(y) = exp(-cos(pi y) / (2 pi nu)),

    u(x, t) = -int sin(pi (x - y)) F(x - y) exp(-y^2 / (4 nu t)) dy / int F(x - y) exp(-y^2 / (4 nu t)) dy.

The integrands are analytic and vanish at both ends, so the trapezoidal rule converges exponentially.
The check is independent: a Fourier pseudospectral method (dealiased by the 2/3 rule), stepped in time by an
integrating factor with classical Runge-Kutta, at two resolutions.
"""

from pathlib import Path

import numpy as np

from mask_pinns.problems.library.references.checks import require

NU = 0.01 / np.pi
X = np.linspace(-1.0, 1.0, 257)
T = np.linspace(0.0, 1.0, 101)


def cole_hopf(x: np.ndarray, t: float, nodes: int = 20_001, nu: float = NU) -> np.ndarray:
    """u(x, t) by the trapezoidal rule, with the largest exponent factored out of both integrals."""
    if t == 0:
        return -np.sin(np.pi * x)
    y = np.linspace(-3.0, 3.0, nodes)  # the integrands fall by more than a factor exp(600) towards both ends
    z = x[:, None] - y
    exponent = -np.cos(np.pi * z) / (2 * np.pi * nu) - y**2 / (4 * nu * t)
    weight = np.exp(exponent - exponent.max(1, keepdims=True))
    return -(np.sin(np.pi * z) * weight).sum(1) / weight.sum(1)


def spectral(modes: int, steps_per_frame: int, frames: int = 100) -> np.ndarray:
    """u at X and at frames + 1 equal times, (257, frames + 1), by an integrating-factor RK4 Fourier method."""
    x = -1.0 + 2.0 * np.arange(modes) / modes
    k = np.pi * np.fft.rfftfreq(modes, 1 / modes)
    dt = 1.0 / (frames * steps_per_frame)
    half = np.exp(-NU * k**2 * dt / 2)
    resolved = k <= np.pi * modes / 3

    def slope(v: np.ndarray) -> np.ndarray:
        u = np.fft.irfft(v * resolved, modes)
        return -0.5j * k * resolved * np.fft.rfft(u * u)

    def step(v: np.ndarray) -> np.ndarray:
        a = dt * slope(v)
        b = dt * slope(half * (v + a / 2))
        c = dt * slope(half * v + b / 2)
        d = dt * slope(half * (half * v + c))
        return half * (half * v + b / 3 + c / 3) + half**2 * a / 6 + d / 6

    v = np.fft.rfft(-np.sin(np.pi * x))
    states = [v]
    for _ in range(frames):
        for _ in range(steps_per_frame):
            v = step(v)
        states.append(v)
    stride = modes // (len(X) - 1)
    u = np.stack([np.fft.irfft(s, modes)[::stride] for s in states], 1)
    return np.concatenate([u, u[:1]], 0)  # x = 1 is x = -1


def main() -> None:
    u = np.stack([cole_hopf(X, t) for t in T], 1)
    finer = np.stack([cole_hopf(X, t, nodes=40_001) for t in T], 1)
    coarse, fine = spectral(4096, 80), spectral(8192, 160)
    checks = {  # name: (largest difference, largest allowed)
        "quadrature, 20,001 against 40,001 nodes": (np.abs(u - finer).max(), 1e-13),
        "spectral, 4096 against 8192 modes": (np.abs(coarse - fine).max(), 1e-8),
        "quadrature against spectral, 8192 modes": (np.abs(u - fine).max(), 1e-10),
    }
    require(checks)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, t=T, u=u)


if __name__ == "__main__":
    main()
