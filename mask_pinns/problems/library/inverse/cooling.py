"""An unknown conductivity, from thermometers."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data, Dirichlet, Initial
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown


class Cooling(Problem):
    """u_t = k u_xx, x and t in [0, 1], k unknown; u(x, 0) = sin(pi x), u = 0 at both ends.

    200 measurements at random points, with noise of standard deviation 0.01, are of u = exp(-k pi^2 t) sin(pi x),
    k = 0.1.
    """

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("k", start=1.0, positive=True),)
    conditions = (
        Initial(u=lambda p: torch.sin(pi * p.x)),
        Dirichlet("x", u=0.0),
        Data("measurements/cooling.csv", noise=0.01),
    )

    def residual(self, p, u, k):
        return u.t - k * u.xx

    def exact(self, p):
        return torch.exp(-0.1 * pi**2 * p.t) * torch.sin(pi * p.x)
