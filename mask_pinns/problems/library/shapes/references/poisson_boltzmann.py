"""Makes poisson_boltzmann.npz, a linear Poisson-Boltzmann equation in a square with four round holes.

    python -m mask_pinns.problems.library.shapes.references.poisson_boltzmann

-Lap u + 64 u = 10 (17 + x^2 + y^2) sin(pi x) sin(4 pi y) on [-1, 1]^2 less the disks DISKS; u = .2 on the square, 1 on
the disks. This is Poisson2d-CG of PINNacle (Hao et al., arXiv 2306.08827).

At the square's corners f = 0 while Lap u = 0 along both sides: 64 u = 12.8 does not fit, and u has a term r^2 log r.
Finite elements of degree 12, 16 and 20 with layers towards the corners (hp-FEM: Schwab, "p- and hp-Finite Element
Methods", 1998; by ngsolve) converge exponentially all the same. The last refinement changes the mesh as well.
`particular` is a closed form that solves the equation without the conditions; the tests build on it.
"""

import numpy as np

from mask_pinns.problems.library.shapes.references.elliptic import Holed, outside
from mask_pinns.problems.library.shapes.references.scattered import Reference, make

DISKS = ((0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3))
REACTION = 64.0
ON_SQUARE, ON_DISKS = 0.2, 1.0
RATE = REACTION + 17 * np.pi**2
"""-Lap + 64 multiplies sin(pi x) sin(4 pi y) by this."""


def particular(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A solution of the equation: (c + a (x^2 + y^2)) S + b (x S_x + y S_y) with S = sin(pi x) sin(4 pi y)."""
    s = np.sin(np.pi * x) * np.sin(4 * np.pi * y)
    s_x = np.pi * np.cos(np.pi * x) * np.sin(4 * np.pi * y)
    s_y = 4 * np.pi * np.sin(np.pi * x) * np.cos(4 * np.pi * y)
    a = 10 / RATE
    b = 4 * a / RATE  # -Lap(r^2 S) = 17 pi^2 r^2 S - 4 S - 4 (x S_x + y S_y)
    c = (170 + 4 * a - 34 * np.pi**2 * b) / RATE  # -Lap(x S_x + y S_y) = 17 pi^2 (x S_x + y S_y) + 34 pi^2 S
    return (c + a * (x**2 + y**2)) * s + b * (x * s_x + y * s_y)


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return outside(DISKS, x, y) & (np.hypot(1 - np.abs(x), 1 - np.abs(y)) > 1e-3)


EQUATION = Holed(
    half=1.0,
    disks=DISKS,
    on_square=ON_SQUARE,
    on_disks=ON_DISKS,
    reaction=REACTION,
    source=lambda ng: 10 * (17 + ng.x**2 + ng.y**2) * ng.sin(np.pi * ng.x) * ng.sin(4 * np.pi * ng.y),
)
REFERENCE = Reference(
    name="poisson_boltzmann",
    method="finite elements of degree p with curved sides and geometric layers at the square's corners (ngsolve)",
    fields=("u",),
    box=(-1.0, 1.0, -1.0, 1.0),
    inside=inside,
    solve=EQUATION.solve,
    refinements=(
        {"size": 0.2, "layers": 9, "degree": 12},
        {"size": 0.2, "layers": 9, "degree": 16},
        {"size": 0.2, "layers": 9, "degree": 20},
        {"size": 0.12, "layers": 12, "degree": 18},
    ),
    allowed=1e-10,
    compared=("poisson_boltzmann2d.npz",),
)

if __name__ == "__main__":
    make(REFERENCE)
