"""A twisted tube
forward, shape
Prandtl's stress function in the cross-section of a beam, an ellipse with a hole off its middle. The slope of u is the
shear stress: it is largest where the wall is thin, between the hole and the edge.
"""

from pathlib import Path

from mask_pinns import Dirichlet, Disk, Ellipse, Problem, plot_solution, recipe_for


class Torsion(Problem):
    """u_xx + u_yy = -2 in an ellipse with a hole, slit open, so that u = 0 on both edges."""

    outside = Ellipse(x=(0.0, 1.0), y=(0.0, 0.6))
    hole = Disk(x=0.4, y=0.0, radius=0.25)
    domain = outside - hole
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(outside, hole, u=0.0),)

    def residual(self, p, u):
        return u.xx + u.yy + 2.0


model = recipe_for(Torsion(), steps=30).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
