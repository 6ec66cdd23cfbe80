"""An unknown conductivity in the heat equation (HInv of PINNacle)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data, Dirichlet
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown


class HeatInverse(Problem):
    """u_t = div(a grad u) + f in [-1, 1]^2, t in [0, 1], a(x, y) unknown, known on the boundary.

    2,500 measurements of u at random points, with noise of standard deviation 0.1. Exact: u = exp(-t) w, a = 2 + w,
    w = sin(pi x) sin(pi y), from which f follows.
    """

    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("xx", "yy", "t")
    unknowns = (Unknown("a", start=2.0, of="xy", positive=True, network={"width": 6}),)

    @property
    def conditions(self):
        known = Dirichlet("x", "y", name="boundary", a=lambda p: 2.0 + self.wave(p))
        return (known, Data("measurements/heat.npz", noise=0.1))

    def residual(self, p, u, a):
        w = self.wave(p)
        steep = pi * torch.cos(pi * p.x) * torch.sin(pi * p.y), pi * torch.sin(pi * p.x) * torch.cos(pi * p.y)
        flux = -2 * pi**2 * w * (2 + w) + steep[0] ** 2 + steep[1] ** 2
        source = -torch.exp(-p.t) * (w + flux)
        return u.t - (a * (u.xx + u.yy) + a.x * u.x + a.y * u.y) - source

    def exact(self, p):
        return torch.exp(-p.t) * self.wave(p), 2.0 + self.wave(p)

    def wave(self, p):
        return torch.sin(pi * p.x) * torch.sin(pi * p.y)
