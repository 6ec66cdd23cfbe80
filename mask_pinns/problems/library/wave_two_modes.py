"""The wave equation with two modes, one of them fast (Wang, Yu & Perdikaris, J. Comput. Phys. 449, 2022)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet, Initial
from mask_pinns.problems.library.wave import Wave


class WaveTwoModes(Wave):
    """u_tt = c^2 u_xx, x in [0, 1], t in [0, 1]; u(x, 0) = sin(pi x) + sin(4 pi x) / 2, u_t(x, 0) = 0, fixed ends.

    c: wave speed, 2 by default. Exact: sin(pi x) cos(c pi t) + sin(4 pi x) cos(4 c pi t) / 2.
    """

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    conditions = (
        Initial(u=lambda p: torch.sin(pi * p.x) + torch.sin(4 * pi * p.x) / 2, u_t=0.0),
        Dirichlet("x", u=0.0),
    )
    c: float = 2.0

    def exact(self, p):
        return super().exact(p) + torch.sin(4 * pi * p.x) * torch.cos(4 * self.c * pi * p.t) / 2
