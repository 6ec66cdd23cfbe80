"""Unsteady flow through the channel [0, 2] x [0, 1], for channel_pulses: finite elements and backward differences.

Taylor-Hood elements on rectangles that are narrower at the boundary (ngsolve). In time backward differences of order 3,
with convection extrapolated from the last three steps, so that every step solves the same linear equations.
"""

from typing import Any

import ngsolve as ng
import numpy as np
from ngsolve.meshes import MakeStructured2DMesh

NU = 0.01
BACKWARD = ((1.0, -1.0), (1.5, -2.0, 0.5), (11 / 6, -3.0, 1.5, -1 / 3))
"""By order less one: the factors of the new value and of the last ones, newest first, in dt times the derivative."""
EXTRAPOLATED = ((1.0,), (2.0, -1.0), (3.0, -3.0, 1.0))
"""By order less one: the factors of the last values, newest first, in the new one."""


def inflow(t: float) -> float:
    return float(np.sin(np.pi * t * np.array([1, 3, 5])).sum())


def narrow(s: float) -> float:
    """[0, 1] onto itself, slow at both ends."""
    return s - 0.85 * np.sin(2 * np.pi * s) / (2 * np.pi)


class Channel:
    """The flow at one time; degree: that of the velocity in an element, the pressure has one less.

    normal: v = 0 at the outlet; otherwise only nu du/dn - P n = 0.
    """

    def __init__(self, columns: int, rows: int, degree: int, normal: bool = True) -> None:
        self.mesh = MakeStructured2DMesh(True, columns, rows, mapping=lambda x, y: (2 * narrow(x), narrow(y)))
        fixed = {"dirichlet": "left|bottom|top", "dirichlety": "right" if normal else ""}
        velocity = ng.VectorH1(self.mesh, order=degree, **fixed)
        self.space = velocity * ng.H1(self.mesh, order=degree - 1)
        (u, p), (v, q) = self.space.TnT()
        self.now, inlet = ng.GridFunction(self.space), ng.GridFunction(self.space)
        inlet.components[0].Set(ng.CF((ng.sin(np.pi * ng.y), 0)), definedon=self.mesh.Boundaries("left"))
        self.inlet = inlet.vec
        self.mass = ng.BilinearForm(ng.InnerProduct(u, v) * ng.dx).Assemble().mat
        stokes = NU * ng.InnerProduct(ng.grad(u), ng.grad(v)) - ng.div(u) * q - ng.div(v) * p
        self.stokes = ng.BilinearForm(stokes * ng.dx).Assemble().mat
        self.force = ng.LinearForm(-ng.sin(np.pi * ng.x) * ng.sin(np.pi * ng.y) * v[1] * ng.dx).Assemble().vec
        w = self.now.components[0]
        self.convection = ng.LinearForm(ng.InnerProduct(ng.grad(w) * w, v) * ng.dx(bonus_intorder=degree))
        self.time = 0.0
        self.states = [self.terms()]

    def terms(self) -> tuple[Any, Any]:
        """Mass times velocity, and convection, now."""
        convection = self.now.vec.CreateVector()
        convection.data = self.convection.Assemble().vec
        return (self.mass * self.now.vec).Evaluate(), convection

    def march(self, dt: float, steps: int) -> None:
        """So many steps; self.states are as far apart, newest first."""
        inverse, order = None, 0
        for _ in range(steps):
            if order != min(len(self.states), 3):
                order = min(len(self.states), 3)
                factors, ahead = BACKWARD[order - 1], EXTRAPOLATED[order - 1]
                matrix = self.stokes.CreateMatrix()
                matrix.AsVector().data = self.stokes.AsVector() + factors[0] / dt * self.mass.AsVector()
                inverse = matrix.Inverse(self.space.FreeDofs(), "umfpack")
            self.time += dt
            rest = self.force.CreateVector()
            rest.data = np.sin(np.pi * self.time) * self.force
            for a, b, (momentum, convection) in zip(factors[1:], ahead, self.states, strict=False):
                rest.data += -a / dt * momentum - b * convection
            self.now.vec.data = inflow(self.time) * self.inlet
            rest.data -= matrix * self.now.vec
            self.now.vec.data += inverse * rest
            self.states = [self.terms(), *self.states[:4]]

    def begin(self, dt: float, doublings: int) -> None:
        """To t = 2 dt, by four steps that are shorter by doublings, and two of each length from there on."""
        self.march(dt / 2**doublings, 4)
        for k in range(doublings, 0, -1):
            self.states = self.states[::2]
            if k > 1:
                self.march(dt / 2 ** (k - 1), 2)

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """u, v and P at points, (3, points)."""
        at, (velocity, pressure) = self.mesh(x, y), self.now.components
        return np.vstack([velocity(at).T, pressure(at).T])

    def outflow(self) -> float:
        """The volume that flows out in a unit of time."""
        outlet = self.mesh.Boundaries("right")
        return ng.Integrate(self.now.components[0][0], self.mesh, definedon=outlet, order=20)
