"""Heat2d-LT of PINNacle: a reaction that swings, for a hundred units of time."""

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem


class HeatLong(Problem):
    """u_t = 0.001 (u_xx + u_yy) + 5 sin(u^2) (1 + 2 sin(pi t / 4)) sin(4 pi x) sin(2 pi y) in [0, 1]^2, t in [0, 100].

    u = sin(4 pi x) sin(3 pi y) at first, 0 on the boundary.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 100.0))
    derivatives = ("t", "xx", "yy")
    conditions = (
        Initial(u=lambda p: torch.sin(4 * pi * p.x) * torch.sin(3 * pi * p.y)),
        Dirichlet("x", "y", u=0.0),
    )
    reference = "../references/heat_long.npz"

    def residual(self, p, u):
        place = torch.sin(4 * pi * p.x) * torch.sin(2 * pi * p.y)
        return u.t - 0.001 * (u.xx + u.yy) - 5 * torch.sin(u**2) * (1 + 2 * torch.sin(pi / 4 * p.t)) * place
