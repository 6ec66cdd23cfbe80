"""A quantum wave packet
forward, system
Schrödinger's equation in a harmonic trap. A complex field is two real ones; the packet swings to and fro and keeps
its shape.
"""

from pathlib import Path

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem, plot_solution, recipe_for


class Trap(Problem):
    """i psi_t = -psi_xx / 2 + x^2 psi / 2, psi = u + i v."""

    fields = ("u", "v")
    domain = Box(x=(-6.0, 6.0), t=(0.0, 3.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.exp(-((p.x - 1.0) ** 2) / 2), v=0.0), Dirichlet("x", u=0.0, v=0.0))

    def residual(self, p, u, v):
        return {
            "real": u.t + 0.5 * v.xx - 0.5 * p.x**2 * v,
            "imaginary": v.t - 0.5 * u.xx + 0.5 * p.x**2 * u,
        }


model = recipe_for(
    Trap(), exact=["initial"], network={"width": 24, "first_scale": 2.0}, points={"pde": 5000}, steps=50
).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
