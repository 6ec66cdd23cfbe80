"""Heat around four pipes
forward, shape
Laplace's equation in a square with four holes. Shapes are subtracted from each other; conditions name the shape they
are on, and hold by construction on curved walls too.
"""

from pathlib import Path

from mask_pinns import Box, Dirichlet, Disk, Problem, plot_solution, recipe_for, union


class AroundPipes(Problem):
    """Laplace's equation around four cold pipes."""

    square = Box(x=(-0.5, 0.5), y=(-0.5, 0.5))
    pipes = union(Disk(x=x, y=y, radius=0.1) for x in (-0.3, 0.3) for y in (-0.3, 0.3))
    domain = square - pipes
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(square, u=1.0), Dirichlet(pipes, u=0.0))

    def residual(self, p, u):
        return u.xx + u.yy


model = recipe_for(AroundPipes()).fit()
plot_solution(model, Path(__file__).with_suffix(".png"))
