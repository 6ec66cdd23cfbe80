"""Heat that cannot leave
forward, integral
An insulated room with a heater and a cooler: walls say nothing about the level of the temperature, its mean does.
"""

from pathlib import Path

import torch

from mask_pinns import Box, Mean, Neumann, Problem, plot_solution, recipe_for


class Room(Problem):
    """u_xx + u_yy = -f, insulated walls, a mean of 20 degrees."""

    domain = Box(x=(0.0, 2.0), y=(0.0, 1.0))
    derivatives = ("xx", "yy")
    conditions = (Neumann("x", "y", u=0.0), Mean("level", of=lambda p, u: u, equals=20.0))

    def residual(self, p, u):
        spot = torch.exp(-30 * ((p.x - 0.5) ** 2 + (p.y - 0.5) ** 2)) - torch.exp(
            -30 * ((p.x - 1.5) ** 2 + (p.y - 0.5) ** 2)
        )
        return u.xx + u.yy + 40.0 * spot


model = recipe_for(Room(), steps=30).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
