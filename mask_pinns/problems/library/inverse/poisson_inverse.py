"""An unknown conductivity in Poisson's equation (PInv of PINNacle)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data, Dirichlet
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown


class PoissonInverse(Problem):
    """div(a grad u) + f = 0 in [0, 1]^2, a(x, y) unknown, known on the boundary.

    u is measured on a grid of 50 x 50 points with noise of standard deviation 0.1. Exact: u = sin(pi x) sin(pi y),
    a = 1 / (1 + x^2 + y^2 + (x - 1)^2 + (y - 1)^2), from which f follows.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    derivatives = ("xx", "yy")
    unknowns = (Unknown("a", start=0.4, of="xy", positive=True, network={"width": 4}),)

    @property
    def conditions(self):
        known = Dirichlet("x", "y", name="boundary", a=self.conductivity)
        return (known, Data("measurements/poisson.npz", noise=0.1))

    def residual(self, p, u, a):
        c, b = self.conductivity(p), 2 * pi**2 * torch.sin(pi * p.x) * torch.sin(pi * p.y)
        slope = (2 * p.x - 1) * torch.cos(pi * p.x) * torch.sin(pi * p.y)
        slope = slope + (2 * p.y - 1) * torch.sin(pi * p.x) * torch.cos(pi * p.y)
        source = c * b + 2 * pi * c**2 * slope
        return a * (u.xx + u.yy) + a.x * u.x + a.y * u.y + source

    def exact(self, p):
        return torch.sin(pi * p.x) * torch.sin(pi * p.y), self.conductivity(p)

    def conductivity(self, p):
        return 1 / (1 + p.x**2 + p.y**2 + (p.x - 1) ** 2 + (p.y - 1) ** 2)
