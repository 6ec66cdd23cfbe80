"""A front, a hundredth of the domain wide
forward, front
Burgers' equation. Points are drawn to where the equation fails most, which is where the front is.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("burgers").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
