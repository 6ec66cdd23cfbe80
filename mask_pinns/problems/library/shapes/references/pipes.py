"""Makes pipes.npz, Laplace's equation in a square with four round holes, by a series that converges exponentially.

    python -m mask_pinns.problems.library.shapes.references.pipes

u_xx + u_yy = 0 on [-.5, .5]^2 less disks of radius .1 at (+-.3, +-.3); u = 1 on the square, u = 0 on the disks. This is
Poisson2d-C of PINNacle (Hao et al., arXiv 2306.08827).

w = u - 1 vanishes on the square and so goes on past each side as an odd function: beyond the square lie mirror images
of the disks, whose fields have the opposite sign. The basis is a logarithm and multipoles at the disk (.3, .3),
symmetric about the diagonal, each summed over the symmetric disks and the images within the eight neighbouring squares,
and Re z^(4 j) for the images farther away. Least squares on the boundary, where the symmetries leave half a side
and half a circle, gives the coefficients. Such series are described by Trefethen, "Series solution of
Laplace problems", ANZIAM Journal 60, 2018.

The error of u is harmonic, so nowhere larger than on the boundary: `boundary_error` bounds it. The independent check is
by finite elements of degree 16, where ngsolve is installed.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product

import numpy as np

from mask_pinns.problems.library.shapes.references.elliptic import Holed
from mask_pinns.problems.library.shapes.references.scattered import Reference, difference, make

RADIUS, CENTER = 0.1, 0.3


def basis(x: np.ndarray, y: np.ndarray, multipoles: int, polynomials: int) -> np.ndarray:
    """The functions of the series at the points, (points, 1 + multipoles + polynomials), scaled to order one."""
    columns = np.zeros((1 + multipoles, len(x)))
    turn = np.exp(0.25j * np.pi)
    for a, b, m, n in product((1, -1), (1, -1), (-1, 0, 1), (-1, 0, 1)):
        inverse = RADIUS * turn / (a * x + m - CENTER + 1j * (b * y + n - CENTER))
        sign, power = (-1) ** (m + n), np.ones(len(x), complex)
        columns[0] += sign * np.log(np.abs(inverse))
        for k in range(1, 1 + multipoles):
            power = power * inverse
            columns[k] += sign * power.real
    fourth = ((x + 1j * y) / np.sqrt(0.5)) ** 4
    return np.column_stack([*columns, *(np.real(fourth**j) for j in range(polynomials))])


def boundary(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and w on half a side of the square and on half a circle, so many points on each."""
    t = (np.arange(count) + 0.5) / count
    angle = np.pi * (0.25 + t)
    x = np.concatenate([np.full(count, 0.5), CENTER + RADIUS * np.cos(angle)])
    y = np.concatenate([0.5 * np.sin(0.5 * np.pi * t), CENTER + RADIUS * np.sin(angle)])
    return x, y, np.repeat([0.0, -1.0], count)


@dataclass(frozen=True)
class Series:
    """A solved series; called with x and y it gives u, (points, 1)."""

    coefficients: np.ndarray
    multipoles: int
    polynomials: int

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1 + (basis(x, y, self.multipoles, self.polynomials) @ self.coefficients)[:, None]

    def boundary_error(self, count: int = 1009) -> float:
        """The largest error of u on the boundary, between the points of the least squares, and so everywhere."""
        x, y, w = boundary(count)
        return float(np.abs(self(x, y)[:, 0] - 1 - w).max())


def solve(multipoles: int, polynomials: int) -> Series:
    """Least squares at eight times as many points as there are coefficients."""
    x, y, w = boundary(4 * (1 + multipoles + polynomials))
    coefficients = np.linalg.lstsq(basis(x, y, multipoles, polynomials), w, rcond=None)[0]
    return Series(coefficients, multipoles, polynomials)


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The solution has no singular corner."""
    return np.hypot(np.abs(x) - CENTER, np.abs(y) - CENTER) > RADIUS


def checks(solution: Series, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The bound of the error, and the relative L2 difference to finite elements."""
    found = {"largest error on the boundary, and so anywhere": solution.boundary_error()}
    if find_spec("ngsolve"):
        disks = tuple((a, b, RADIUS) for a, b in product((-CENTER, CENTER), repeat=2))
        elements = Holed(half=0.5, disks=disks, on_square=1.0, on_disks=0.0).solve(size=0.1, layers=1, degree=16)
        found["relative L2 difference to finite elements of degree 16"] = difference(elements(x, y), solution(x, y))
    return found


REFERENCE = Reference(
    name="pipes",
    method="log, multipoles and harmonic polynomials with mirror images, least squares on the boundary",
    fields=("u",),
    box=(-0.5, 0.5, -0.5, 0.5),
    inside=inside,
    solve=solve,
    refinements=tuple({"multipoles": 4 * k, "polynomials": 2 * k} for k in (3, 5, 7)),
    allowed=1e-13,
    checks=checks,
    compared=("poisson_classic.npz", "poisson1_cg_data.npz"),
)

if __name__ == "__main__":
    make(REFERENCE)
