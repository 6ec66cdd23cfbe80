"""Heat2d-VC of PINNacle: heat in a square whose diffusivity varies, driven by a source that swings."""

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem, RandomField

LOG_DIFFUSIVITY = RandomField("x", "y", length=0.25, std=0.7, seed=0)


class HeatVarying(Problem):
    """u_t - a (u_xx + u_yy) = 200 sin(pi x) sin(5 pi y) sin(pi t) in [0, 1]^2, t in [0, 5]; u = 0 at first and outside.

    a(x, y) is the exponential of a smooth Gaussian random field: the benchmark's own is not to be had.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 5.0))
    derivatives = ("t", "xx", "yy")
    conditions = (Initial(u=0.0), Dirichlet("x", "y", u=0.0))
    reference = "../references/heat_varying.npz"

    def residual(self, p, u):
        source = 200 * torch.sin(pi * p.x) * torch.sin(5 * pi * p.y) * torch.sin(pi * p.t)
        return u.t - torch.exp(LOG_DIFFUSIVITY(p)) * (u.xx + u.yy) - source
