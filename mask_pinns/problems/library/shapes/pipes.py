"""Laplace's equation around four cold pipes in a warm square (Poisson2d-C of PINNacle)."""

from mask_pinns.domains import Box, Disk, union
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem


class Pipes(Problem):
    """u_xx + u_yy = 0 in a square with four round holes; u = 1 on the square, u = 0 on the pipes.

    The square is [-0.5, 0.5]^2, the pipes have radius 0.1 and their centres at (+-0.3, +-0.3).
    """

    square = Box(x=(-0.5, 0.5), y=(-0.5, 0.5))
    pipes = union(Disk(x=x, y=y, radius=0.1) for x in (-0.3, 0.3) for y in (-0.3, 0.3))
    domain = square - pipes
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(square, u=1.0), Dirichlet(pipes, u=0.0))
    reference = "references/pipes.npz"

    def residual(self, p, u):
        return u.xx + u.yy
