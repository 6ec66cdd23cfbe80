"""Burgers' equation on a ring: a sine wave steepens to a front, which decays."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class BurgersPeriodic(Problem):
    """u_t + u u_x = nu u_xx, x in [-1, 1] periodic, t in [0, 1]; u(x, 0) = -sin(pi x).

    Nondimensional; nu: viscosity, 0.01 by default; other values have no reference. The front at x = 0 has the width
    4 nu. The reference (257 x 101 points) is the Cole-Hopf integral; references/burgers_periodic.py makes it and checks
    it by a Fourier method at two resolutions.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: -torch.sin(pi * p.x)), Periodic("x", order=1))
    nu: float = 0.01

    @property
    def reference(self):
        return "references/burgers_periodic.npz" if self.nu == 0.01 else None

    def residual(self, p, u):
        return u.t + u * u.x - self.nu * u.xx
