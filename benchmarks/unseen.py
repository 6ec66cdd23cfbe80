"""Problems on which no recipe was tuned, for configs/default.yaml; `accuracy.py` runs them too."""

from __future__ import annotations

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Periodic, Problem


class Fisher(Problem):
    """u_t = u_xx + 6 u (1 - u), a front that travels at speed 5. Ablowitz & Zeppetella (1979)."""

    domain = Box(x=(-2.0, 6.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")

    @property
    def conditions(self):
        return (Initial(u=self.exact), Dirichlet("x", u=self.exact))

    def residual(self, p, u):
        return u.t - u.xx - 6 * u * (1 - u)

    def exact(self, p):
        return (1 + torch.exp(p.x - 5 * p.t)) ** -2.0


class Poisson3D(Problem):
    """u_xx + u_yy + u_zz = -f in a cube, zero on its boundary; one, two and one half-waves along x, y and z."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0))
    derivatives = ("xx", "yy", "zz")
    conditions = (Dirichlet("x", u=0.0), Dirichlet("y", u=0.0), Dirichlet("z", u=0.0))

    def residual(self, p, u):
        return u.xx + u.yy + u.zz + 6 * pi**2 * self.exact(p)

    def exact(self, p):
        return torch.sin(pi * p.x) * torch.sin(2 * pi * p.y) * torch.sin(pi * p.z)


class AdvectionDiffusion(Problem):
    """u_t + 3 u_x = 0.05 u_xx, periodic: two waves that travel and decay."""

    domain = Box(x=(0.0, 2.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")

    @property
    def conditions(self):
        return (Initial(u=self.exact), Periodic("x", order=1))

    def residual(self, p, u):
        return u.t + 3 * u.x - 0.05 * u.xx

    def exact(self, p):
        return sum(torch.sin(k * pi * (p.x - 3 * p.t)) * torch.exp(-0.05 * (k * pi) ** 2 * p.t) / k for k in (1, 2))


class Schrodinger(Problem):
    """i h_t + h_xx / 2 + |h|^2 h = 0 for h = u + i v: a soliton of speed 1, sech(x - t) exp(i x)."""

    domain = Box(x=(-6.0, 7.0), t=(0.0, 1.0))
    fields, derivatives = ("u", "v"), ("t", "xx")

    @property
    def conditions(self):
        return (Initial(u=self.u, v=self.v), Dirichlet("x", u=self.u, v=self.v))

    def residual(self, p, u, v):
        square = u**2 + v**2
        return u.t + v.xx / 2 + square * v, v.t - u.xx / 2 - square * u

    def u(self, p):
        return torch.cos(p.x) / torch.cosh(p.x - p.t)

    def v(self, p):
        return torch.sin(p.x) / torch.cosh(p.x - p.t)

    def exact(self, p):
        return self.u(p), self.v(p)
