"""Wave2d-MS of PINNacle, corrected: two modes of a membrane that is stiffer along y, for a hundred units of time."""

from math import pi, sqrt

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem


class WaveMultiscale(Problem):
    """u_tt = u_xx + 2 u_yy in [0, 1]^2, t in [0, 100]; u = 0 on the boundary, at rest at t = 0.

    The solution stated in the benchmark leaves the residual -2 pi^2 u; this is one of the equation.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 100.0))
    derivatives = ("tt", "xx", "yy")

    @property
    def conditions(self):
        return (Initial(u=self.exact, u_t=0.0), Dirichlet("x", "y", u=0.0))

    def residual(self, p, u):
        return u.tt - u.xx - 2 * u.yy

    def exact(self, p):
        low = torch.sin(pi * p.x) * torch.sin(pi * p.y) * torch.cos(sqrt(3) * pi * p.t)
        return low + torch.sin(3 * pi * p.x) * torch.sin(2 * pi * p.y) * torch.cos(sqrt(17) * pi * p.t)
