"""Heat2d-MS of PINNacle: heat that spreads 250,000 times more slowly along x, and short waves along it."""

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem


class HeatMultiscale(Problem):
    """u_t = u_xx / (500 pi)^2 + u_yy / pi^2 in [0, 1]^2, t in [0, 5]; u = 0 on the boundary."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 5.0))
    derivatives = ("t", "xx", "yy")

    @property
    def conditions(self):
        return (Initial(u=self.exact), Dirichlet("x", u=0.0), Dirichlet("y", u=0.0))

    def residual(self, p, u):
        return u.t - u.xx / (500 * pi) ** 2 - u.yy / pi**2

    def exact(self, p):
        return torch.sin(20 * pi * p.x) * torch.sin(pi * p.y) * torch.exp(-(1 + 0.04**2) * p.t)
