"""Heat in a ball in five dimensions
forward, high-dimensional, shape, library
What no mesh can do: a ball in five coordinates and time. The picture shows planes through its middle.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("heat_ball").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
