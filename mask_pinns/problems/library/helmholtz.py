"""The Helmholtz equation on a square; the published setting of Mask-PINNs (arXiv 2505.06331)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem


class Helmholtz(Problem):
    """u_xx + u_yy + k^2 u = f on [-1, 1]^2, u = 0 on the boundary, f computed from the exact solution.

    k: wave number; a, b: half-waves along x and y per unit length (whole numbers keep u = 0 on the boundary).
    Exact: sin(a pi x) sin(b pi y).
    """

    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
    derivatives = ("xx", "yy")
    conditions = (Dirichlet("x", "y", u=0.0, name="boundary"),)
    grid = 201
    k: float = 1.0
    a: int = 6
    b: int = 6

    def residual(self, p, u):
        source = (self.k**2 - (self.a * pi) ** 2 - (self.b * pi) ** 2) * self.exact(p)
        return u.xx + u.yy + self.k**2 * u - source

    def exact(self, p):
        return torch.sin(self.a * pi * p.x) * torch.sin(self.b * pi * p.y)
