"""Flow behind a grid
forward, system, library
Kovasznay's solution of the steady Navier-Stokes equations at a Reynolds number of 40: three fields at once, compared
with the formula.
"""

from pathlib import Path

from mask_pinns import plot_solution, recipe_for

model = recipe_for("kovasznay").fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
