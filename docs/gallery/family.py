"""All conductivities at once
forward, parametrized
The conductivity is one more coordinate, by which nothing has a derivative: one network is the solution for every
value of it.
"""

from math import pi
from pathlib import Path

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem, plot_solution, recipe_for


class Diffusion(Problem):
    """u_t = n u_xx for every n in [0.05, 0.5]."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0), n=(0.05, 0.5))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(pi * p.x)), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        return u.t - p.n * u.xx

    def exact(self, p):
        return torch.exp(-p.n * pi**2 * p.t) * torch.sin(pi * p.x)


model = recipe_for(Diffusion(), points={"pde": 4000}).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
