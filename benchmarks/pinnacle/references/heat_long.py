"""Makes heat_long.npz, a spectral solution of a heat equation with a source over a long time (Heat2d-LT of PINNacle).

    python -m benchmarks.pinnacle.references.heat_long [--compare FOLDER]

u_t = 0.001 Lap u + 5 sin(u^2) (1 + 2 sin(pi t / 4)) sin(4 pi x) sin(2 pi y) on [0, 1]^2, t in [0, 100]; u = 0 on the
boundary; u = sin(4 pi x) sin(3 pi y) at t = 0.

Series of sines along x and y: the source is odd about every side if u is, so that the odd, periodic extension of u is
smooth. At x + 1/4 the start and the factor of the source change signs, so that u does too: only every fourth sine along
x is needed. ETDRK4; t is a mode of its own, with slope 1. Checked are successive refinements and another integrator;
measured is what becomes of a small change of the start. Stored are 31 x 25 points at 51 times (31, so that the points
do not repeat from quarter to quarter). FOLDER holds PINNacle's data, heat_longtime.npz, which are compared with and
never copied.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import fft

from benchmarks.pinnacle.references.methods.record import record
from mask_pinns.problems.library.long.references.periodic import frames_by_etdrk4, frames_by_rk4
from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.shapes.references.scattered import difference

DIFFUSION = 0.001
T = np.linspace(0.0, 100.0, 101)
X, Y = np.linspace(0.0, 1.0, 31), np.linspace(0.0, 1.0, 25)


def sines(x: np.ndarray, n: int, base: int = 1) -> np.ndarray:
    """sin(base k pi x) for k = 1 to n - 1, (points, n - 1)."""
    return np.sin(np.pi * base * np.multiply.outer(x, np.arange(1, n)))


class Solution:
    """Modes at T: m - 1 along x, multiples of base, and n - 1 along y; so many steps from time to time."""

    def __init__(self, m: int, n: int, steps: int, method=frames_by_etdrk4, base: int = 4, change: float = 0.0) -> None:
        x, y = np.arange(1, m) / m / base, np.arange(1, n) / n
        factor = np.multiply.outer(np.sin(4 * np.pi * x), np.sin(2 * np.pi * y))
        start = np.zeros((m - 1, n - 1))
        start[4 // base - 1, 2] = 1.0
        if change:  # a root mean square of that, in random sines
            low = np.random.default_rng(0).standard_normal((8, 8))
            start[:8, :8] += change * 2 * low / np.linalg.norm(low)

        def nonlinear(w: np.ndarray) -> np.ndarray:
            u = fft.dstn(w[:-1].reshape(m - 1, n - 1), type=1) / 4
            source = 5 * (1 + 2 * np.sin(np.pi * w[-1] / 4)) * factor * np.sin(u**2)
            return np.append(fft.dstn(source, type=1) / (m * n), 1.0)

        square = (base * np.arange(1, m)[:, None]) ** 2 + np.arange(1, n) ** 2
        linear = np.append(-DIFFUSION * np.pi**2 * square, 0.0)
        states = method(linear, nonlinear, np.append(start.ravel(), 0.0), T, steps)
        self.modes, self.base = states[:, :-1].reshape(len(T), m - 1, n - 1), base

    def sines(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sines(x, self.modes.shape[1] + 1, self.base), sines(y, self.modes.shape[2] + 1)

    def grid(self) -> np.ndarray:
        """u at X, Y and T, (31, 25, 101)."""
        along_x, along_y = self.sines(X, Y)
        return np.moveaxis(along_x @ self.modes @ along_y.T, 0, -1)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """u at points and T, (points, 101)."""
        along_x, along_y = self.sines(x, y)
        return np.einsum("pm,tmn,pn->pt", along_x, self.modes, along_y, optimize=True)


REFINEMENTS = ((32, 128, 75), (56, 224, 120), (64, 256, 160))


def sensitivity() -> dict[str, object]:
    """What becomes of a change of the start by 1e-6 (root mean square), in all of the low modes."""
    changed, plain = (Solution(64, 64, 50, base=1, change=c).grid() for c in (1e-6, 0.0))
    left = np.sqrt(((changed - plain) ** 2).mean((0, 1)) * 31 * 25 / (30 * 24))
    return {str(t): float(f"{left[t]:.1e}") for t in (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 50, 100)}


def compared(solution: Solution, folder: Path) -> dict[str, object]:
    """The relative L2 difference to others' data, over all times and at some."""
    data = np.load(folder / "heat_longtime.npz")
    ours = solution.at(data["x"], data["y"])
    at = {str(t): difference(ours[:, t], data["u"][:, t]) for t in (0, 1, 2, 5, 10, 20, 30, 50, 80, 100)}
    return {"all": difference(ours, data["u"]), "at times": at}


def main() -> None:
    parser = argparse.ArgumentParser(description="A reference of Heat2d-LT.")
    parser.add_argument("--compare", type=Path, metavar="FOLDER", help="others' data of the problem")
    folder = parser.parse_args().compare
    values, seconds = [], []
    for modes in REFINEMENTS:
        began = time.perf_counter()
        solution = Solution(*modes)
        values.append(solution.grid())
        seconds.append(round(time.perf_counter() - began, 1))
        print(modes, seconds[-1], flush=True)
    began = time.perf_counter()
    other = difference(Solution(56, 224, 100, frames_by_rk4).grid(), values[-1])
    seconds.append(round(time.perf_counter() - began, 1))
    differences = [difference(coarse, fine) for coarse, fine in pairwise(values)]
    require({"the last two refinements (relative L2)": (differences[-1], 2e-6), "by another method": (other, 3e-6)})
    u = values[-1][..., ::2].astype(np.float32)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=X, y=Y, t=T[::2], u=u)
    figures = {
        "method": "sines along x (every fourth) and y, ETDRK4",
        "refinements": "modes along x and along y, steps in a unit of time: " + "; ".join(map(str, REFINEMENTS)),
        "seconds": seconds,
        "relative L2 difference between successive refinements": differences,
        "relative L2 difference to integrating-factor Runge-Kutta, 56, 224, 100": other,
        "root mean square at times of a change that is 1e-6 at t = 0": sensitivity(),
        "relative L2 difference to others' data": compared(solution, folder) if folder else {},
    }
    record("heat_long", figures)


if __name__ == "__main__":
    main()
