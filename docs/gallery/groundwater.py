"""Groundwater in random rock
forward, random coefficient
Darcy's law with a permeability that varies fivefold or more from place to place: a smooth random field, the same on
every machine.
"""

from pathlib import Path

import torch

from mask_pinns import Box, Dirichlet, Neumann, Problem, RandomField, plot_solution, recipe_for

LOG_A = RandomField("x", "y", length=0.3, std=0.7, seed=3)


class Rock(Problem):
    """div(a grad u) = 0 with a = exp(random field); u is the water's level."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    derivatives = ("xx", "yy")
    conditions = (Dirichlet("x", u=lambda p: 1.0 - p.x), Neumann("y", u=0.0))

    def residual(self, p, u):
        x, y = p.x.detach().requires_grad_(), p.y.detach().requires_grad_()
        with torch.enable_grad():
            g = LOG_A(type(p)(torch.stack([x, y], 1), ("x", "y")))
            g_x, g_y = torch.autograd.grad(g.sum(), (x, y))
        return u.xx + u.yy + g_x * u.x + g_y * u.y


model = recipe_for(Rock(), steps=30).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
