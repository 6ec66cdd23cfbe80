"""Linear convection around a ring; the published setting of Mask-PINNs (arXiv 2505.06331)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class Convection(Problem):
    """u_t + beta u_x = 0, x in [0, 2 pi] periodic, t in [0, 1]; u(x, 0) = sin x.

    beta: speed. Exact: sin(x - beta t). The published loss matches the values at both ends, not the slopes.
    """

    domain = Box(x=(0.0, 2 * pi), t=(0.0, 1.0))
    derivatives = ("t", "x")
    conditions = (Initial(u=lambda p: torch.sin(p.x)), Periodic("x"))
    beta: float = 30.0

    def residual(self, p, u):
        return u.t + self.beta * u.x

    def exact(self, p):
        return torch.sin(p.x - self.beta * p.t)
