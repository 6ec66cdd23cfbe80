"""Linear convection, sixteen times around a ring: every error of phase adds up."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class ConvectionLong(Problem):
    """u_t + beta u_x = 0, x in [0, 2 pi] periodic, t in [0, 100]; u(x, 0) = sin x.

    Nondimensional; beta: speed. Exact: sin(x - beta t).
    """

    domain = Box(x=(0.0, 2 * pi), t=(0.0, 100.0))
    derivatives = ("t", "x")
    conditions = (Initial(u=lambda p: torch.sin(p.x)), Periodic("x"))
    beta: float = 1.0

    def residual(self, p, u):
        return u.t + self.beta * u.x

    def exact(self, p):
        return torch.sin(p.x - self.beta * p.t)
