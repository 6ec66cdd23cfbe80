"""An unknown heat-transfer coefficient, which stands in a boundary condition."""

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data, Neumann, Robin
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown

ROOT = 1.0768739863118038
"""The root w of w tan w = 2."""


class RobinInverse(Problem):
    """u_t = u_xx, x and t in [0, 1], insulated at x = 0, du/dn + h u = 0 at x = 1, h unknown.

    200 measurements at random points, with noise of standard deviation 0.01, are of u = exp(-w^2 t) cos(w x), h = 2.
    """

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("h", start=1.0, positive=True),)
    conditions = (
        Neumann("x", side="low", u=0.0),
        Robin("x", side="high", a=lambda p: p.h, u=0.0),
        Data("measurements/robin.csv", noise=0.01),
    )

    def residual(self, p, u):
        return u.t - u.xx

    def exact(self, p):
        return torch.exp(-(ROOT**2) * p.t) * torch.cos(ROOT * p.x)
