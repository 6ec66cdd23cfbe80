"""Finite elements of high order for -Lap u + k u = f in a square with round holes, u given on the boundary.

Triangles with curved sides on the circles, towards the square's corners refined geometrically: where the data do not
fit there, the solution has terms like r^2 log r, and degree and layers together still converge exponentially.
Needs ngsolve (pip install mask-pinns[references]), which is imported when a solution is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mask_pinns.problems.library.shapes.references.scattered import Solution

Disk = tuple[float, float, float]
"""x, y and radius."""


def outside(disks: Sequence[Disk], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.all([np.hypot(x - a, y - b) > r for a, b, r in disks], axis=0)


@dataclass(frozen=True)
class Holed:
    """The equation and its domain."""

    half: float
    """Half the side of the square, whose center is the origin."""
    disks: tuple[Disk, ...]
    on_square: float
    on_disks: float
    reaction: float = 0.0
    source: Callable[[Any], Any] | None = None
    """f as an expression of the ngsolve module, which it is given."""

    def mesh(self, size: float, layers: int, degree: int) -> Any:
        """Triangles of such a size, with layers a sixth as wide as the one before at each of the square's corners."""
        import ngsolve
        from netgen.occ import Circle, MoveTo, OCCGeometry

        shape = MoveTo(-self.half, -self.half).Rectangle(2 * self.half, 2 * self.half).Face()
        shape.edges.name = "square"
        for corner in shape.vertices:
            corner.hpref = 1
        for x, y, radius in self.disks:
            disk = Circle((x, y), radius).Face()
            disk.edges.name = "disk"
            shape = shape - disk
        mesh = ngsolve.Mesh(OCCGeometry(shape, dim=2).GenerateMesh(maxh=size))
        mesh.RefineHP(layers, 1 / 6)
        mesh.Curve(degree)
        return mesh

    def solve(self, size: float, layers: int, degree: int) -> Solution:
        """The solution by elements of such a degree."""
        import ngsolve as ng

        mesh = self.mesh(size, layers, degree)
        space = ng.H1(mesh, order=degree, dirichlet="square|disk")
        u, v = space.TnT()
        energy = ng.grad(u) * ng.grad(v) + self.reaction * u * v
        form = ng.BilinearForm(energy * ng.dx(bonus_intorder=4), condense=True).Assemble()
        load = ng.LinearForm(space)
        if self.source:
            load += self.source(ng) * v * ng.dx(bonus_intorder=10)
        load.Assemble()
        found = ng.GridFunction(space)
        found.Set(mesh.BoundaryCF({"square": self.on_square, "disk": self.on_disks}), ng.BND)
        ng.solvers.BVP(bf=form, lf=load, gf=found, inverse="sparsecholesky")
        return lambda x, y: found(mesh(*self.pushed(x, y))).reshape(-1, 1)

    def pushed(self, x: np.ndarray, y: np.ndarray, gap: float = 1e-12) -> tuple[np.ndarray, np.ndarray]:
        """Points on a circle, which rounding may have put outside of the mesh, a little farther from its center."""
        x, y = np.array(x), np.array(y)
        for a, b, r in self.disks:
            distance = np.hypot(x - a, y - b)
            stretch = np.where(distance < r + gap, (r + gap) / distance, 1.0)
            x, y = a + (x - a) * stretch, b + (y - b) * stretch
        return x, y
