"""Makes burgers_2d.npz, a spectral solution of Burgers' equations in the plane (Burgers2d-C of PINNacle).

    python -m benchmarks.pinnacle.references.burgers_2d            solves and stores
    python -m benchmarks.pinnacle.references.burgers_2d --check    compares what is stored with the other method

u_t + u u_x + v u_y = nu Lap u, v_t + u v_x + v v_y = nu Lap v, nu = 1e-3, on [0, 4]^2, t in [0, 1], periodic, started
from the random waves of the problem. They have period 1 in x and y, and so has the solution: [0, 1]^2 is solved.

Fourier pseudospectral method in the frame that moves with the mean velocity of the start, with u u_x + v u_y as
(|u|^2 / 2)_x - v (v_x - u_y); the highest modes of the products are damped by exp(-36 (k / k_max)^36). ETDRK4. Shocks
are thinnest early, when the jumps are largest, so that the first part of the time has more modes and shorter steps.
Checked are successive refinements, and another method: u u_x + v u_y as it stands, modes above 2/3 of the highest left
out, by the classical Runge-Kutta method with an integrating factor. Stored are 48 x 48 points of a period at 11 times.
"""

import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from scipy import fft

from benchmarks.pinnacle.problems.burgers_2d import HIGHEST, MEANS, waves
from benchmarks.pinnacle.references.methods.fourier import March, resized
from benchmarks.pinnacle.references.methods.record import record
from mask_pinns.problems.library.long.references.periodic import frames_by_rk4
from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.shapes.references.scattered import difference

NU = 1e-3
FILE = Path(__file__).with_suffix(".npz")
X = np.arange(48) / 48
T = np.linspace(0.0, 1.0, 11)
Stages = tuple[tuple[float, int, float], ...]
"""Until when, modes along x and y, and the step in time."""


class Burgers:
    """The slope of modes on n x n points, less the diffusion."""

    def __init__(self, n: int) -> None:
        i, j = np.fft.fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1)
        self.n, self.kx, self.ky = n, 2 * np.pi * i, 2 * np.pi * j
        self.keep = np.exp(-36 * np.abs(2 * i / n) ** 36) * np.exp(-36 * (2 * j / n) ** 36)

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """-(u u_x + v u_y, u v_x + v v_y), in modes."""
        size = (self.n, self.n)
        u, v = fft.irfft2(w[0], s=size), fft.irfft2(w[1], s=size)
        spin = fft.irfft2(1j * (self.kx * w[1] - self.ky * w[0]), s=size)
        energy = 1j * fft.rfft2((u * u + v * v) / 2)
        v *= spin
        u *= spin
        return self.keep * np.stack([fft.rfft2(v) - self.kx * energy, -fft.rfft2(u) - self.ky * energy])


def frame(w: np.ndarray, t: float) -> np.ndarray:
    """u and v at X, X and t, (2, 48, 48), by summing the series."""
    n = w.shape[1]
    k = np.fft.fftfreq(n, 1 / n)
    ex, ey = (np.exp(2j * np.pi * np.multiply.outer(X - c * t, k)) for c in MEANS)
    twice = np.where(np.arange(n // 2 + 1) % (n // 2), 2, 1)
    values = (ex @ w @ (ey[:, : n // 2 + 1] * twice).T).real / n**2
    return values + MEANS[:, None, None]


def start(n: int) -> np.ndarray:
    """Modes, (2, n, n / 2 + 1), less the mean velocity."""
    axis = torch.arange(n, dtype=torch.float64) / n
    grid = SimpleNamespace(**dict(zip("xy", torch.meshgrid(axis, axis, indexing="ij"), strict=True)))
    return fft.rfft2(np.stack([2 / HIGHEST[k] * waves(k, grid).numpy() for k in (0, 1)]))


def solve(stages: Stages) -> tuple[np.ndarray, dict[str, list[float]]]:
    """u and v at X, X and T, (2, 48, 48, 11), and at each of T: the largest |u_x|, the share of the highest modes."""
    w, frames, steepest, tail, before = start(64), [], [], [], -1
    for t in T:
        stage = next(k for k, (until, *_) in enumerate(stages) if t <= until + 1e-9)
        _, n, dt = stages[stage]
        if stage != before:
            slope, before, w = Burgers(n), stage, resized(w, n)
            march = March(n, dt, NU, slope)
        for _ in range(round((T[1] - T[0]) / dt) if t else 0):
            w = march.step(w)
        frames.append(frame(w, t))
        steepest.append(round(float(np.abs(fft.irfft2(1j * slope.kx * w[0], s=(n, n))).max()), 1))
        tail.append(float(f"{np.abs(w[:, n // 3 : n // 2]).max() / np.abs(w).max():.1e}"))
    return np.stack(frames, -1), {"largest |u_x|": steepest, "largest in the upper third of the modes": tail}


def by_rk4(n: int, steps: int, times: np.ndarray) -> np.ndarray:
    """The same values at times by the other method, in so many steps from time to time."""
    kx, ky = 2 * np.pi * np.fft.fftfreq(n, 1 / n)[:, None], 2 * np.pi * np.arange(n // 2 + 1)
    resolved = (np.abs(kx) < 2 * np.pi * n / 3) & (ky < 2 * np.pi * n / 3)

    def slope(w: np.ndarray) -> np.ndarray:
        w = w.reshape(2, n, -1)
        (u, v), along_x, along_y = (fft.irfft2(f, s=(n, n)) for f in (w, 1j * kx * w, 1j * ky * w))
        return (resolved * fft.rfft2(-u * along_x - v * along_y)).ravel()

    linear = np.tile((-NU * (kx**2 + ky**2)).ravel(), 2)
    states = frames_by_rk4(linear, slope, start(n).ravel(), times, steps)
    return np.stack([frame(w.reshape(2, n, -1), t) for w, t in zip(states, times, strict=True)], -1)


REFINEMENTS: tuple[Stages, ...] = (
    ((0.2, 448, 1e-3), (1.0, 320, 1e-3)),
    ((0.1, 768, 1e-3), (0.3, 640, 1e-3), (0.6, 512, 1e-3), (1.0, 384, 1e-3)),
    ((0.1, 896, 5e-4), (0.3, 768, 5e-4), (0.6, 576, 5e-4), (1.0, 448, 1e-3)),
)


def checked() -> dict[str, dict[str, float]]:
    """How far stored values at t = 0.1, when shocks are thinnest, are from the other method with more modes."""
    stored = np.load(FILE)
    at = np.stack([stored["u"], stored["v"]])[..., 1]
    wrong = {n: difference(by_rk4(n, steps, T[:2])[..., 1], at) for n, steps in ((576, 250), (768, 250), (1024, 320))}
    require({"1024 modes by another method (relative L2)": (wrong[1024], 3e-4)})
    name = "at t = 0.1, relative L2 difference to integrating-factor Runge-Kutta, by modes (2/3 of them kept)"
    return {name: {str(n): float(f"{d:.1e}") for n, d in wrong.items()}}


def made() -> dict[str, object]:
    """Writes the file; the figures of its accuracy."""
    values, shapes, seconds = [], [], []
    for stages in REFINEMENTS:
        began = time.perf_counter()
        frames, shape = solve(stages)
        values.append(frames)
        shapes.append(shape)
        seconds.append(round(time.perf_counter() - began, 1))
        print(stages, seconds[-1], *(f"{difference(v, frames):.1e}" for v in values), flush=True)
    differences = [difference(coarse, fine) for coarse, fine in pairwise(values)]
    u, v = values[-1].astype(np.float32)
    np.savez_compressed(FILE, x=X, y=X, t=T, u=u, v=v)
    by_time = [difference(values[-2][..., k], values[-1][..., k]) for k in range(len(T))]
    print(differences, by_time)
    require({"the last two refinements (relative L2)": (differences[-1], 3e-4)})
    return {
        "method": "Fourier pseudospectral, ETDRK4, in the frame that moves with the mean velocity",
        "refinements": "until t, modes along x and along y, step: " + "; ".join(map(str, REFINEMENTS)),
        "seconds": seconds,
        "relative L2 difference between successive refinements": differences,
        "of the last two, at each time": by_time,
        "of the finest, at each time": shapes[-1],
    }


if __name__ == "__main__":
    record("burgers_2d", checked() if "--check" in sys.argv else made())
