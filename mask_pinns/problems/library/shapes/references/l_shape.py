"""Makes l_shape.npz, Poisson's equation in an L, by a series at its corners that converges exponentially.

    python -m mask_pinns.problems.library.shapes.references.l_shape

u_xx + u_yy = -1 in [-1, 1]^2 less [0, 1] x [-1, 0], u = 0 on the boundary. With polar coordinates at the reentrant
corner, theta from 0 to 3 pi / 2,

    u = -y^2 / 2 - r^2 (log r sin 2 theta + theta cos 2 theta) / (3 pi) + sum over k of c_k r^(2k/3) sin(2 k theta / 3)
        + sum over the five other corners of d_j Im(z_j^2 log z_j),   z_j = a + i b the distances from its two sides
        + harmonic polynomials

solves the equation, and without the last two sums is zero on the sides of the reentrant corner. The logarithms are
those of a right angle where a source is not zero. Least squares on the boundary give all coefficients (Trefethen,
"Series solution of Laplace problems", ANZIAM Journal 60, 2018). The error of u is harmonic, so nowhere larger than on
the boundary.
"""

from dataclasses import dataclass

import numpy as np

from mask_pinns.problems.library.shapes.references.scattered import Reference, far_from, make

CORNERS = ((1, 0, -1, 1), (1, 1, -1, -1), (-1, 1, 1, -1), (-1, -1, 1, 1), (0, -1, -1, 1))
"""x, y of each convex corner, and the directions in which the domain lies from there."""


def polar(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """r and theta at the reentrant corner."""
    return np.hypot(x, y), np.arctan2(-x - y, y - x) + 0.75 * np.pi


def particular(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The part with the source, which is zero on the sides of the reentrant corner."""
    r, theta = polar(x, y)
    logarithm = np.log(np.maximum(r, 1e-300)) * np.sin(2 * theta) + theta * np.cos(2 * theta)
    return -(y**2) / 2 - r**2 * logarithm / (3 * np.pi)


def basis(x: np.ndarray, y: np.ndarray, terms: int) -> np.ndarray:
    """The harmonic functions at the points, (points, 3 terms + 6), of order one."""
    r, theta = polar(x, y)
    columns = [(r / 2**0.5) ** (2 * k / 3) * np.sin(2 * k / 3 * theta) for k in range(1, terms + 1)]
    for cx, cy, along, up in CORNERS:
        a, b = along * (x - cx), up * (y - cy)
        z = np.where(a**2 + b**2 > 0, a + 1j * b, 1)
        columns.append((z**2 * np.log(z)).imag)
    powers = ((x + 1j * y) / 2**0.5)[:, None] ** np.arange(terms + 1)
    return np.column_stack([*columns, powers.real, powers[:, 1:].imag])


def boundary(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on the six sides, dense towards their ends, so many on each unit of length."""
    t = (1 - np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2
    zero, one = np.zeros(count), np.ones(count)
    sides = ((t, zero), (one, t), (t, one), (-t, one), (-one, t), (-one, -t), (-t, -one), (zero, -t))
    return np.concatenate([x for x, _ in sides]), np.concatenate([y for _, y in sides])


@dataclass(frozen=True)
class Series:
    """A solved series; called with x and y it gives u, (points, 1)."""

    coefficients: np.ndarray
    terms: int

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (particular(x, y) + basis(x, y, self.terms) @ self.coefficients)[:, None]

    def boundary_error(self, count: int = 1009) -> float:
        """The largest |u| on the boundary, between the points of the least squares, and so the largest error."""
        return float(np.abs(self(*boundary(count))).max())


def solve(terms: int) -> Series:
    x, y = boundary(6 * terms)
    return Series(np.linalg.lstsq(basis(x, y, terms), -particular(x, y), rcond=None)[0], terms)


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x < 0) | (y > 0)) & far_from([(0.0, 0.0)], 1e-3, x, y)


def checks(solution: Series, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    return {"largest error on the boundary, and so anywhere": solution.boundary_error()}


REFERENCE = Reference(
    name="l_shape",
    method="powers r^(2k/3) at the reentrant corner and logarithms at the others, least squares on the boundary",
    fields=("u",),
    box=(-1.0, 1.0, -1.0, 1.0),
    inside=inside,
    solve=solve,
    refinements=({"terms": 20}, {"terms": 40}, {"terms": 60}),
    allowed=1e-9,
    checks=checks,
)

if __name__ == "__main__":
    make(REFERENCE)
