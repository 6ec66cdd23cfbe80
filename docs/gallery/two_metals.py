"""Two metals
forward, shape, interface
A core that conducts heat twenty times as well as what surrounds it. The temperature has a kink on the interface,
where the heat that leaves one metal enters the other.
"""

from pathlib import Path

import torch

from mask_pinns import Box, Dirichlet, Disk, Interface, Neumann, Problem, plot_solution, recipe_for


class TwoMetals(Problem):
    """div(a grad u) = 0, a = 20 in the core and 1 outside; hot on the left, cold on the right."""

    core = Disk(x=0.5, y=0.5, radius=0.25)
    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    derivatives = ("xx", "yy")
    conditions = (
        Dirichlet("x", u=lambda p: 1.0 - p.x),
        Neumann("y", u=0.0),
        Interface(core, a=(20.0, 1.0), u=0.0),
    )

    def residual(self, p, u):
        return torch.where(self.core.contains(p), 20.0, 1.0) * (u.xx + u.yy)


model = recipe_for(TwoMetals(), steps=40).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
