"""PNd of PINNacle: Poisson's equation in a cube of five dimensions."""

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Problem


class PoissonNd(Problem):
    """Lap u + (pi^2 / 4) sum of sin(pi x_i / 2) = 0 in [0, 1]^5; u given on the boundary."""

    domain = Box(v=(0.0, 1.0), w=(0.0, 1.0), x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0))
    derivatives = ("vv", "ww", "xx", "yy", "zz")

    @property
    def conditions(self):
        return (Dirichlet("v", "w", "x", "y", "z", u=self.exact, name="boundary"),)

    def residual(self, p, u):
        return u.vv + u.ww + u.xx + u.yy + u.zz + pi**2 / 4 * self.exact(p)

    def exact(self, p):
        return sum(torch.sin(pi / 2 * c) for c in (p.v, p.w, p.x, p.y, p.z))
