"""Makes heat_complex.npz, heat that comes in through many round holes of a rectangle: Heat2d-CG of PINNacle.

    python -m benchmarks.pinnacle.references.heat_complex

u_t = Lap u on [-8, 8] x [-12, 12] less the disks LARGE and SMALL, t in [0, 3], u = 0 at t = 0; with n the outward
normal, du/dn = 5 - u on the large disks, 1 - u on the small ones and 0.1 - u on the rectangle (Hao et al.,
arXiv 2306.08827).

All of it is even in x and in y: a quarter is solved, with du/dn = 0 on the two lines of symmetry. In space, triangles
of degree p with curved sides (by ngsolve). In time there are no steps that the jump of the data at t = 0 could spoil:
the Laplace transform U of M u' + K u = F solves (z M + K) U = M u(0) + F / z, and a quadrature on Talbot's contour
inverts it, with an error of about 3.89^-nodes (Trefethen, Weideman, Schmelzer, BIT Numer. Math. 46, 2006). Nodes of one
contour serve all steps from one stored time to the next, so that each matrix is factored once.

Checked: the size of triangles, the degree and the number of nodes change from one refinement to the next, and the last
two must agree; `talbot` on exp(-s t) for s from 0 to 1e9.
"""

from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from benchmarks.pinnacle.references.methods.common import Row, make, options, outside, scattered
from mask_pinns.problems.library.references.checks import require

HALVES = (8.0, 12.0)
LARGE = ((0.0, 0.0), (0.0, 6.0), (0.0, -6.0), *((a, b) for a in (-4.0, 4.0) for b in (-9.0, -3.0, 3.0, 9.0)))
SMALL = tuple((a, b) for a in (-3.2, 3.2) for b in (-6.0, 0.0, 6.0))
DISKS = tuple((*center, 1.0) for center in LARGE) + tuple((*center, 0.4) for center in SMALL)
AROUND = {"large": 5.0, "small": 1.0, "wall": 0.1}
"""What du/dn + u is on the parts of the boundary."""
TIMES = np.linspace(0.0, 3.0, 31)


def talbot(nodes: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    """z and weights: u(step) = Re sum of weight U(z) for a real u with the Laplace transform U."""
    angle = np.pi * np.arange(1, nodes, 2) / nodes  # the other half is conjugate
    slope = 0.5017 * (1 / np.tan(0.6407 * angle) - 0.6407 * angle / np.sin(0.6407 * angle) ** 2) + 0.2645j
    z = nodes * (0.5017 * angle / np.tan(0.6407 * angle) - 0.6122 + 0.2645j * angle)
    return z / step, 2 * np.exp(z) * slope / (1j * step)


def quarter(size: float, degree: int) -> Any:
    """The mesh of x > 0, y > 0."""
    import ngsolve
    from netgen.occ import Circle, MoveTo, OCCGeometry

    shape = MoveTo(0, 0).Rectangle(*HALVES).Face()
    for edge in shape.edges:
        edge.name = "symmetry" if min(edge.center.x, edge.center.y) < 1e-9 else "wall"
    for x, y, radius in DISKS:
        disk = Circle((x, y), radius).Face()
        disk.edges.name = "large" if radius == 1 else "small"
        disk.edges.maxh = size / 2
        shape = shape - disk
    mesh = ngsolve.Mesh(OCCGeometry(shape, dim=2).GenerateMesh(maxh=size))
    mesh.Curve(degree)
    return mesh


def matrix(form: Any) -> csc_matrix:
    """The matrix of a bilinear form."""
    import ngsolve

    row, column, entry = ngsolve.BilinearForm(form).Assemble().mat.COO()
    return csc_matrix((np.array(entry), (np.array(row), np.array(column))))


def solve(size: float, degree: int, nodes: int) -> np.ndarray:
    """u at the points and times."""
    import ngsolve as ng

    mesh = quarter(size, degree)
    space = ng.H1(mesh, order=degree)
    u, v = space.TnT()
    around, inner = ng.ds("|".join(AROUND), bonus_intorder=6), ng.dx(bonus_intorder=4)
    mass, stiff = matrix(u * v * inner), matrix(ng.grad(u) * ng.grad(v) * inner + u * v * around)
    load = ng.LinearForm(mesh.BoundaryCF(AROUND, default=0) * v * around).Assemble().vec.FV().NumPy()
    contour = [(z, weight, splu(z * mass + stiff)) for z, weight in zip(*talbot(nodes, TIMES[1]), strict=True)]
    found, at = ng.GridFunction(space), mesh(*(np.abs(c) for c in POINTS))
    state, values = np.zeros(space.ndof), [np.zeros(len(at))]
    for _ in TIMES[1:]:
        start = mass @ state
        state = sum((weight * factors.solve(start + load / z)).real for z, weight, factors in contour)
        found.vec.FV().NumPy()[:] = state
        values.append(found(at).ravel())
    return np.stack(values, 1)


def contour_error(nodes: int) -> float:
    """The largest error of `talbot` for the transforms 1 / (z + s) of exp(-s t), after one step and ten."""
    z, weight = talbot(nodes, TIMES[1])
    s = np.concatenate([[0.0], np.logspace(-3, 9, 200)])
    once = (weight / (z + s[:, None])).real.sum(1)
    return float(np.abs(np.stack([once - np.exp(-s * 0.1), once**10 - np.exp(-s)])).max())


POINTS = scattered([(-h, h) for h in HALVES], lambda x, y: outside(DISKS, x, y), 1000)

if __name__ == "__main__":
    refinements = (
        {"size": 1.2, "degree": 6, "nodes": 20},
        {"size": 1.2, "degree": 9, "nodes": 24},
        {"size": 0.8, "degree": 10, "nodes": 28},
    )
    error = contour_error(24)
    require({"talbot, 24 nodes": (error, 1e-11)})
    method = "triangles of degree p with curved sides (ngsolve), a quadrature of the inverse Laplace transform in time"
    facts = {"largest error of the quadrature for exp(-s t), 24 nodes": error}
    make(Row("heat_complex", method, POINTS, solve, refinements, 1e-7, TIMES, facts), options().record)
