"""The wave equation over fifty periods: every error of phase adds up."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet, Initial
from mask_pinns.problems.problem import Problem


class WaveLong(Problem):
    """u_tt = c^2 u_xx, x in [0, 1], t in [0, 100]; u(x, 0) = sin(pi x), u_t(x, 0) = 0, u = 0 at both ends.

    Nondimensional; c: wave speed. Exact: sin(pi x) cos(c pi t).
    """

    domain = Box(x=(0.0, 1.0), t=(0.0, 100.0))
    derivatives = ("tt", "xx")
    conditions = (Initial(u=lambda p: torch.sin(pi * p.x), u_t=0.0), Dirichlet("x", u=0.0))
    c: float = 1.0

    def residual(self, p, u):
        return u.tt - self.c**2 * u.xx

    def exact(self, p):
        return torch.sin(pi * p.x) * torch.cos(self.c * pi * p.t)
