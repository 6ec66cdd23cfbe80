"""Makes wave_varying.npz and wave_varying_even.npz, waves in a square of varying stiffness: Wave2d-CG of PINNacle.

    python -m benchmarks.pinnacle.references.wave_varying

u_tt = c Lap u on [-1, 1]^2, t in [0, 5], c(x, y) = exp(LOG_STIFFNESS); u = exp(-((x + 0.5)^2 + y^2) / 0.18), u_t = 0 at
t = 0; du/dn = 0 on the boundary (Hao et al., arXiv 2306.08827, whose c is another one).

The start does not fulfil the boundary condition: du/dn is -1.39 at (-1, 0), where the start's steepest slope is 2.02,
and -0.04 at (-0.5, 1) and (-0.5, -1). So a jump of the slope leaves the boundary at t = 0 and runs through the square
for good, and no method for smooth functions converges fast: N^-1.5 is the best for N unknowns along a side. For
wave_varying_even the start's mirror images in the sides are added (`even_start`), and du/dn = 0: what is left is a jump
of third derivatives, since c is not even.

Spectral elements: polynomials of degree 8 on equal squares, with Gauss-Lobatto quadrature, for which the mass is
diagonal (Patera, J. Comput. Phys. 54, 1984). In time the series of cos(t sqrt(A)), A = -c Lap, in Chebyshev polynomials
of A, summed until nothing is left (Tal-Ezer, SIAM J. Numer. Anal. 23, 1986).

wave_varying is thus accurate to about 3e-4 only (relative L2, by the rate of its refinements; up to 3e-3 at the jump),
wave_varying_even to 1e-7.

Checked: the number of elements changes from one refinement to the next, and the last two must agree; the series on
numbers; the largest misfit of both starts.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import jv

from benchmarks.pinnacle.problems.wave_varying import LOG_STIFFNESS
from benchmarks.pinnacle.references.methods.common import Row, make, options, scattered
from benchmarks.pinnacle.references.methods.elements import DEGREE, side, values_at
from mask_pinns.problems.library.references.checks import require

TIMES = np.linspace(0.0, 5.0, 41)
Start = Callable[[np.ndarray, np.ndarray], np.ndarray]


def start(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(-((x + 0.5) ** 2 + y**2) / 0.18)


def even_start(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The start and its images in the sides, and theirs, as far as they are above rounding."""
    along_x = np.sum([np.exp(-((x - image) ** 2) / 0.18) for image in (-5.5, -4.5, -1.5, -0.5, 2.5, 3.5)], axis=0)
    return along_x * np.sum([np.exp(-((y - image) ** 2) / 0.18) for image in (-4.0, -2.0, 0.0, 2.0, 4.0)], axis=0)


def weights(root: float) -> np.ndarray:
    """w: cos(t sqrt(A)) = sum of w[t, k] T_k(2 A / root^2 - 1) for A from 0 to root^2."""
    k = np.arange(int(root * TIMES[-1] / 2 + 10 * (root * TIMES[-1]) ** (1 / 3) + 20))
    return np.where(k > 0, 2, 1) * (-1.0) ** k * jv(2 * k, root * TIMES[:, None])


def solve(elements: int, begin: Start) -> np.ndarray:
    """u at the points and times, by so many elements along a side."""
    x, second = side(elements)
    stiffness = np.exp(np.stack([LOG_STIFFNESS.on(x=np.full_like(x, one), y=x) for one in x]))
    root = 1.001 * np.sqrt(2 * stiffness.max() * np.abs(np.linalg.eigvals(second.toarray())).max())
    scaled = stiffness * 2 / root**2
    along_x, along_y = (values_at(p, elements) for p in POINTS)

    def shifted(u: np.ndarray) -> np.ndarray:
        """(2 A / root^2 - 1) u."""
        return scaled * (second @ u + (second @ u.T).T) - u

    def seen(u: np.ndarray) -> np.ndarray:
        return (along_y * (along_x @ u)).sum(1)

    factors = weights(root)
    before = begin(x[:, None], x)
    now, found = shifted(before), [seen(before)]
    for _ in range(factors.shape[1] - 1):
        found.append(seen(now))
        before, now = now, 2 * shifted(now) - before
    return np.stack(found, 1) @ factors.T


def misfit(begin: Start) -> float:
    """The largest |du/dn| of a start on the boundary, by a difference of order two."""
    side, step = np.linspace(-1, 1, 801), 1e-4
    pairs = [(lambda d, e=e: begin(e * (1 - d) + 0 * side, side)) for e in (-1, 1)]
    pairs += [(lambda d, e=e: begin(side, e * (1 - d) + 0 * side)) for e in (-1, 1)]
    return max(float(np.abs(4 * f(step) - 3 * f(0.0) - f(2 * step)).max()) / (2 * step) for f in pairs)


def series_error(root: float = 300.0) -> float:
    """The largest error of the series for numbers A."""
    s = np.linspace(0, 1, 500)
    polynomials = np.cos(2 * np.arange(weights(root).shape[1])[:, None] * np.arccos(s))
    return float(np.abs(weights(root) @ polynomials - np.cos(root * TIMES[:, None] * s)).max())


POINTS = scattered([(-1.0, 1.0)] * 2, lambda x, y: np.maximum(np.abs(x), np.abs(y)) < 1, 800)

if __name__ == "__main__":
    require({"series in time": (series_error(), 1e-11)})
    record = options().record
    method = f"spectral elements of degree {DEGREE}, a Chebyshev series in time"
    for name, begin, sizes, allowed in (
        ("wave_varying_even", even_start, (8, 16, 24, 32), 1e-6),
        ("wave_varying", start, (16, 32, 64), 1e-3),
    ):
        facts = {"largest |du/dn| of the start": misfit(begin)}
        refinements = tuple({"elements": n} for n in sizes)
        solver = partial(solve, begin=begin)
        make(Row(name, method, POINTS, solver, refinements, allowed, TIMES, facts, "wave_varying"), record)
