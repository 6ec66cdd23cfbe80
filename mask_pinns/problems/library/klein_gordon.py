"""The Klein-Gordon equation with a cubic term, source and solution as in Wang, Teng & Perdikaris (SISC 43, 2021)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet, Initial
from mask_pinns.problems.problem import Problem


class KleinGordon(Problem):
    """u_tt - u_xx + u^3 = f on [0, 1]^2, u(x, 0) = x, u_t(x, 0) = 0, u given at both ends, f from the exact solution.

    a: half-waves in time. Exact: x cos(a pi t) + (x t)^3.
    """

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("tt", "xx")
    a: float = 5.0

    @property
    def conditions(self):
        return (Initial(u=lambda p: p.x, u_t=0.0), Dirichlet("x", u=self.exact))

    def residual(self, p, u):
        u_tt = -((self.a * pi) ** 2) * p.x * torch.cos(self.a * pi * p.t) + 6 * p.x**3 * p.t
        u_xx = 6 * p.x * p.t**3
        return u.tt - u.xx + u**3 - (u_tt - u_xx + self.exact(p) ** 3)

    def exact(self, p):
        return p.x * torch.cos(self.a * pi * p.t) + (p.x * p.t) ** 3
