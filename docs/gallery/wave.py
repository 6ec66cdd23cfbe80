"""A string that swings
forward, library
The wave equation over five periods, from the problems that come along: one line, and a solution to ten digits or
more.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("wave").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
