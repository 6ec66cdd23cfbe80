"""The linearized Poisson-Boltzmann equation around four discs (Poisson2d-CG of PINNacle)."""

from math import pi

import torch

from mask_pinns.domains import Box, Disk, union
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem


class PoissonBoltzmann(Problem):
    """-(u_xx + u_yy) + k^2 u = f in [-1, 1]^2 with four round holes; u = 0.2 on the square, u = 1 on the holes.

    k: inverse screening length. f = 10 (17 + x^2 + y^2) sin(pi x) sin(4 pi y).
    """

    square = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
    discs = union(
        Disk(x=x, y=y, radius=radius)
        for x, y, radius in ((0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3))
    )
    domain = square - discs
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(square, u=0.2), Dirichlet(discs, u=1.0))
    k: float = 8.0

    def residual(self, p, u):
        source = 10 * (17 + p.x**2 + p.y**2) * torch.sin(pi * p.x) * torch.sin(4 * pi * p.y)
        return -(u.xx + u.yy) + self.k**2 * u - source
