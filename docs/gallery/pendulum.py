"""A pendulum over a long time
forward, windows, ordinary differential equation
Some five swings of a pendulum that starts far from rest. One network for all of it would be large; ten small ones, each
of which begins exactly where the one before ends, are quick.
"""

from pathlib import Path

import torch

from mask_pinns import Box, Initial, Problem, plot_solution, recipe_for


class Pendulum(Problem):
    """u_tt = -sin u."""

    domain = Box(t=(0.0, 50.0))
    derivatives = ("tt",)
    conditions = (Initial(u=2.0, u_t=0.0),)

    def residual(self, p, u):
        return u.tt + torch.sin(u)


model = recipe_for(Pendulum(), windows=10, network={"width": 12, "blocks": 1}, points={"pde": 400}).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
