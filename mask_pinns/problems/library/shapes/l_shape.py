"""Poisson's equation in an L, whose corner makes the gradient of the solution unbounded."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem


class LShape(Problem):
    """u_xx + u_yy = -1 in [-1, 1]^2 less [0, 1] x [-1, 0]; u = 0 on the boundary.

    At the reentrant corner u is about a multiple of r^(2/3) sin(2 theta / 3), theta from 0 to 3 pi / 2: its gradient is
    unbounded. The network receives this function as a further input.
    """

    square, corner = Box(x=(-1.0, 1.0), y=(-1.0, 1.0)), Box(x=(0.0, 1.0), y=(-1.0, 0.0))
    domain = square - corner
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(square, u=0.0), Dirichlet(corner, u=0.0))
    reference = "references/l_shape.npz"

    def residual(self, p, u):
        return u.xx + u.yy + 1.0

    def features(self, p):
        theta = torch.atan2(-p.x - p.y, p.y - p.x) + 3 / 4 * pi
        return ((p.x**2 + p.y**2) ** (1 / 3) * torch.sin(2 / 3 * theta),)
