"""Steady incompressible flow in a union of squares by finite elements of high order, for lid_cavity and back_step.

(u . grad) u = nu Lap u - grad P, div u = 0, weakly with nu grad u : grad v, so that the natural condition is
nu du/dn - P n = 0. Taylor-Hood elements (velocity of degree p, pressure of degree p - 1, both continuous), Newton's
method from rest, inner unknowns eliminated; by ngsolve (pip install mask-pinns[references]), imported when needed.

At a singular corner the mesh is refined geometrically. Every square is cut by its diagonals, so that no element spans
more than 45 degrees of a corner: in elements of 90 degrees the functions of the angle converge four times more slowly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mask_pinns.problems.library.shapes.references.scattered import Solution

Corner = tuple[float, float]


@dataclass(frozen=True)
class Outlet:
    """What holds at the part of the boundary called "out", where the outward normal is along x."""

    normal: bool = False
    """v = 0."""
    stress: bool = False
    """The natural condition is with the whole stress, nu (grad u + grad u^T) n - P n = 0."""
    pressure: bool = False
    """P = 0 is imposed on the pressure's space, and the viscous stress vanishes: one condition too many."""
    backflow: float = 0.0
    """P = -backflow u^2 where u < 0, which keeps fluid from coming in."""


OUTLETS = {
    "normal": Outlet(normal=True),
    "do_nothing": Outlet(),
    "no_stress": Outlet(stress=True),
    "pressure": Outlet(stress=True, pressure=True),
    "no_backflow": Outlet(normal=True, backflow=100.0),
}


@dataclass(frozen=True)
class Flow:
    """The domain and its conditions."""

    squares: tuple[Corner, ...]
    """Lower left corners of the unit squares."""
    boundary: Callable[[float, float], str]
    """wall, a name in `prescribed`, out, or inner, for the middle of a side or of half a diagonal."""
    prescribed: Callable[[Any], Mapping[str, Any]]
    """The velocity on parts of the boundary as expressions of the ngsolve module, which it is given."""
    corners: Mapping[Corner, float]
    """Corners to refine at, with the share of the layers that they need."""
    nu: float = 0.01
    fine: Mapping[str, float] = field(default_factory=dict)
    """Parts of the boundary with a layer along them, and the largest size of triangles there, relative to the rest."""
    zero_pressure: Corner | None = None
    """Where P = 0, if nothing else fixes its level."""

    def mesh(self, size: float, layers: int) -> Any:
        """Triangles of such a size, and at the corners layers a quarter as wide as the one before."""
        import ngsolve
        from netgen.occ import Glue, OCCGeometry, WorkPlane

        faces = []
        for a, b in self.squares:
            ring = [(a, b), (a + 1, b), (a + 1, b + 1), (a, b + 1)]
            for start, end in zip(ring, [*ring[1:], ring[0]], strict=True):
                triangle = WorkPlane().MoveTo(*start).LineTo(*end).LineTo(a + 0.5, b + 0.5).Close()
                faces.append(triangle.Face())
        shape = Glue(faces)
        for edge in shape.edges:
            edge.name = self.boundary(round(edge.center.x, 6), round(edge.center.y, 6))
            edge.maxh = size * self.fine.get(edge.name, 1.0)
        for vertex in shape.vertices:
            vertex.hpref = self.corners.get((round(vertex.p.x, 6), round(vertex.p.y, 6)), 0)
        mesh = ngsolve.Mesh(OCCGeometry(shape, dim=2).GenerateMesh(maxh=size))
        mesh.RefineHP(layers, 0.25)
        return mesh

    def solve(self, size: float, layers: int, degree: int, outlet: str = "normal") -> Solution:
        """u, v and P with velocities of such a degree; `outlet`: see OUTLETS."""
        mesh = self.mesh(size, layers)
        first = self.newton(mesh, 5, OUTLETS[outlet])
        return self.values(mesh, self.newton(mesh, degree, OUTLETS[outlet], first))

    def newton(self, mesh: Any, degree: int, outlet: Outlet, start: Any = None) -> Any:
        """The solution on the mesh, by Newton's method from rest or from a solution of lower degree."""
        import ngsolve as ng

        given = self.prescribed(ng)
        fixed = "|".join(["wall", *given])
        velocity = ng.VectorH1(mesh, order=degree, dirichlet=fixed, dirichlety="out" if outlet.normal else "")
        pressure = ng.H1(mesh, order=degree - 1, dirichlet="out" if outlet.pressure else "")
        space = ng.FESpace([velocity, pressure, *([ng.NumberSpace(mesh)] if self.zero_pressure else [])])
        (u, p, *mean), (v, q, *zero) = space.TnT()
        gradient = ng.grad(u) + ng.grad(u).trans if outlet.stress else ng.grad(u)
        weak = self.nu * ng.InnerProduct(gradient, ng.grad(v)) + ng.InnerProduct(ng.grad(u) * u, v)
        weak += -ng.div(v) * p - ng.div(u) * q
        for a, b in zip(mean, zero, strict=True):
            weak += p * b + q * a
        form = ng.BilinearForm(space, condense=True)
        form += weak * ng.dx(bonus_intorder=degree)
        if outlet.backflow:
            form += -outlet.backflow * ng.IfPos(u[0], 0, u[0] ** 2) * v[0] * ng.ds("out", bonus_intorder=degree)
        found = ng.GridFunction(space)
        if start:
            found.components[0].Set(start.components[0])
            found.components[1].Set(start.components[1])
        else:
            found.components[0].Set(mesh.BoundaryCF(given, default=ng.CF((0, 0))), ng.BND)
        status, _ = ng.solvers.Newton(form, found, inverse="umfpack", maxerr=1e-12, maxit=25, printing=False)
        assert status == 0, "Newton's method did not converge"
        return found

    def values(self, mesh: Any, found: Any) -> Solution:
        """The solution as a function of coordinates, the pressure on its level."""
        velocity, pressure = found.components[:2]
        zero = pressure(mesh(*self.zero_pressure)) if self.zero_pressure else 0.0

        def at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            points = mesh(x, y)
            return np.column_stack([velocity(points), pressure(points) - zero])

        return at
