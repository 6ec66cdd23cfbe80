"""Hares and lynxes
forward, system, ordinary differential equation
Lotka and Volterra's equations of predators and prey: one coordinate, two fields.
"""

from pathlib import Path

from mask_pinns import Box, Initial, Problem, plot_solution, recipe_for


class HaresAndLynxes(Problem):
    """h' = h (1 - l), l' = l (h - 1)."""

    fields = ("h", "l")
    domain = Box(t=(0.0, 8.0))
    derivatives = ("t",)
    conditions = (Initial(h=1.5, l=0.7),)

    def residual(self, p, h, l):  # noqa: E741
        return {"hares": h.t - h * (1.0 - l), "lynxes": l.t - l * (h - 1.0)}


model = recipe_for(HaresAndLynxes(), network={"width": 16, "blocks": 1}, points={"pde": 500}).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
