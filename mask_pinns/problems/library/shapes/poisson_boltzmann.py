"""The linearized Poisson-Boltzmann equation around four discs (Poisson2d-CG of PINNacle)."""

from math import pi

import torch

from mask_pinns.domains import Box, Disk, union
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem

DISCS = ((0.5, 0.5, 0.2), (0.4, -0.4, 0.4), (-0.2, -0.7, 0.1), (-0.6, 0.5, 0.3))
"""x, y and radius."""


class PoissonBoltzmann(Problem):
    """-(u_xx + u_yy) + k^2 u = f in [-1, 1]^2 with four round holes; u = 0.2 on the square, u = 1 on the holes.

    k: inverse screening length. f = 10 (17 + x^2 + y^2) sin(pi x) sin(4 pi y).
    In the corners u_xx + u_yy = 0.2 k^2, but both second derivatives vanish along the sides: u has a known part
    like r^2 log r there. The network receives the logarithm of the distance from each hole's centre.
    """

    square = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
    discs = union(Disk(x=x, y=y, radius=radius) for x, y, radius in DISCS)
    domain = square - discs
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(square, u=0.2), Dirichlet(discs, u=1.0))
    k: float = 8.0

    def residual(self, p, u):
        source = 10 * (17 + p.x**2 + p.y**2) * torch.sin(pi * p.x) * torch.sin(4 * pi * p.y)
        return -(u.xx + u.yy) + self.k**2 * u - source

    def known_part(self, p):
        return 0.2 * self.k**2 * sum(self.corner(a, b) for a in (1 - p.x, 1 + p.x) for b in (1 - p.y, 1 + p.y))

    def corner(self, a, b):
        r2 = a**2 + b**2 + 1e-30
        log = (a * b * torch.log(r2) + torch.atan2(b, a) * (a**2 - b**2)) / pi
        return (0.5 * b**2 + log) * torch.exp(-((r2 / 0.16) ** 2))

    def features(self, p):
        return tuple(torch.log((p.x - x) ** 2 + (p.y - y) ** 2) for x, y, _ in DISCS)

    @property
    def reference(self):
        return "references/poisson_boltzmann.npz" if self.k == 8.0 else None
