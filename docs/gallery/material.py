"""A material from temperatures
inverse, unknown function, library
The conductivity a(x, y) of a plate, a function that nobody knows, from 2,500 noisy temperatures: a network of its own
finds it together with the field.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("poisson_inverse").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
