"""Makes poisson_balls.npz, a linear equation in a cube with four round holes and two layers: Poisson3d-CG of PINNacle.

    python -m benchmarks.pinnacle.references.poisson_balls

-Lap u + k^2 u = f on [0, 1]^3 less the balls BALLS; k = 8 for z < 0.5 and 10 above; du/dn = 0 on the whole boundary;
f = 20 exp(sin pi x + sin 10 pi y + sin 5 pi z) (r^2 - 1) / (r^2 + 1) + 100 sin pi x sin 10 pi y sin 5 pi z with
r^2 = x^2 + y^2 + z^2 (Hao et al., arXiv 2306.08827). The signs are those of the benchmark's program, where
-Lap u + k^2 u - f is the residual; with the other sign of k^2 u the equation would be Helmholtz's, with resonances.

Finite elements of degree p on tetrahedra with curved sides (by ngsolve); the plane z = 0.5, which cuts two balls, is
made of sides of tetrahedra. The equations are solved by conjugate gradients with the preconditioner BDDC.

Checked: degree and size of tetrahedra change from one refinement to the next, and the last two must agree; the integral
of k^2 u is that of f; the volume of the mesh.
"""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.pinnacle.references.methods.common import Row, make, options, outside, scattered

BALLS = ((0.4, 0.3, 0.6, 0.2), (0.6, 0.7, 0.6, 0.2), (0.2, 0.8, 0.7, 0.1), (0.6, 0.2, 0.3, 0.1))
SQUARES = {"below": 64.0, "above": 100.0}
"""k^2 in the layers."""
VOLUME = 1 - sum(4 / 3 * np.pi * ball[-1] ** 3 for ball in BALLS)


def mesh_of(size: float, degree: int) -> Any:
    """Tetrahedra of such a size, half as large at the small balls."""
    import ngsolve
    from netgen.occ import Box, Glue, OCCGeometry, Sphere

    layers = []
    for name, low, high in (("below", 0.0, 0.5), ("above", 0.5, 1.0)):
        layer = Box((0, 0, low), (1, 1, high))
        for x, y, z, radius in BALLS:
            ball = Sphere((x, y, z), radius)
            ball.faces.maxh = min(size, radius / 1.5)
            layer = layer - ball
        layer.solids.name = name
        layers.append(layer)
    mesh = ngsolve.Mesh(OCCGeometry(Glue(layers)).GenerateMesh(maxh=size))
    mesh.Curve(degree)
    return mesh


def source() -> Any:
    """f as an expression."""
    import ngsolve as ng

    waves = ng.sin(np.pi * ng.x), ng.sin(10 * np.pi * ng.y), ng.sin(5 * np.pi * ng.z)
    square = ng.x**2 + ng.y**2 + ng.z**2
    return 20 * ng.exp(sum(waves)) * (square - 1) / (square + 1) + 100 * waves[0] * waves[1] * waves[2]


def solve(size: float, degree: int, facts: dict[str, object]) -> np.ndarray:
    """u at the points; how well source and reaction balance is noted among the facts."""
    import ngsolve as ng

    ng.SetNumThreads(1)
    mesh = mesh_of(size, degree)
    space = ng.H1(mesh, order=degree)
    u, v = space.TnT()
    reaction, f = mesh.MaterialCF(SQUARES), source()
    form = ng.BilinearForm((ng.grad(u) * ng.grad(v) + reaction * u * v) * ng.dx, condense=True, symmetric=True)
    before = ng.Preconditioner(form, "bddc")
    load = ng.LinearForm(f * v * ng.dx(bonus_intorder=6)).Assemble()
    found = ng.GridFunction(space)
    ng.solvers.BVP(bf=form.Assemble(), lf=load, gf=found, pre=before, maxsteps=500, tol=1e-11, print=False)
    order = 2 * degree + 6
    balance = ng.Integrate(reaction * found, mesh, order=order) / ng.Integrate(f, mesh, order=order)
    facts |= {
        "tetrahedra": mesh.ne,
        "unknowns": space.ndof,
        "volume of the mesh, relative difference": ng.Integrate(1, mesh) / VOLUME - 1,
        "integral of k^2 u to that of f, less 1": balance - 1,
    }
    return found(mesh(*POINTS)).ravel()


def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A little outside of the balls, since the mesh's sides are polynomials."""
    return outside([(*ball[:-1], ball[-1] + 1e-4) for ball in BALLS], x, y, z)


POINTS = scattered([(0.0, 1.0)] * 3, inside, 4000)

if __name__ == "__main__":
    facts: dict[str, object] = {}
    refinements = (
        {"size": 0.15, "degree": 4},
        {"size": 0.15, "degree": 6},
        {"size": 0.12, "degree": 7},
        {"size": 0.1, "degree": 8},
    )
    method = "curved tetrahedra of degree p (ngsolve)"
    row = Row("poisson_balls", method, POINTS, partial(solve, facts=facts), refinements, 1e-4, None, facts)
    make(row, options().record)
