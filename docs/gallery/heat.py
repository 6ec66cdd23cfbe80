"""Heat in a rod
forward, ordinary start
A rod with cold ends cools down. The smallest problem there is: fifteen lines, one call.
"""

from math import pi
from pathlib import Path

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem, plot_solution, recipe_for


class Heat(Problem):
    """u_t = k u_xx on a rod with cold ends."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(pi * p.x)), Dirichlet("x", u=0.0))
    k: float = 0.1

    def residual(self, p, u):
        return u.t - self.k * u.xx

    def exact(self, p):
        return torch.exp(-self.k * pi**2 * p.t) * torch.sin(pi * p.x)


model = recipe_for(Heat()).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
