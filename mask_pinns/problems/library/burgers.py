"""The viscous Burgers equation with a shock that steepens at x = 0."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet, Initial
from mask_pinns.problems.problem import Problem


class Burgers(Problem):
    """u_t + u u_x = nu u_xx, x in [-1, 1], t in [0, 1]; u(x, 0) = -sin(pi x), u = 0 at both ends.

    nu: viscosity, 0.01 / pi by default; other values have no reference. The reference (257 x 101 points) comes from
    the Cole-Hopf integral; references/burgers.py makes and checks it.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: -torch.sin(pi * p.x)), Dirichlet("x", u=0.0))
    nu: float = 0.01 / pi

    @property
    def reference(self):
        return "references/burgers.npz" if self.nu == 0.01 / pi else None

    def residual(self, p, u):
        return u.t + u * u.x - self.nu * u.xx
