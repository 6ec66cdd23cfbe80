"""A plate with a hole under tension
forward, system, shape, library
Plane stress in a quarter of a plate, compared with Kirsch's solution of 1898. The edge of the hole is free of forces:
a condition with the outward normal.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("plate", optimizer="gauss_newton 40").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
