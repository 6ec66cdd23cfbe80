"""Small problems with known solutions, for tests in several folders."""

from __future__ import annotations

from math import pi

import numpy as np
import torch

from mask_pinns import Box, Condition, Dirichlet, Initial, Neumann, Periodic, Problem


class Rotation(Problem):
    """A system with a known solution: u_t = -w v, v_t = w u; u = cos(w t + x), v = sin(w t + x)."""

    domain = Box(x=(0.0, 2 * pi), t=(0.0, 1.0))
    fields = ("u", "v")
    derivatives = ("t",)
    conditions = (Initial(u=lambda p: torch.cos(p.x), v=lambda p: torch.sin(p.x)), Periodic("x", order=2))
    w: float = 2.0

    def residual(self, p, u, v):
        return {"cosine": u.t + self.w * v, "sine": v.t - self.w * u}

    def exact(self, p):
        return torch.cos(self.w * p.t + p.x), torch.sin(self.w * p.t + p.x)


class Cooling(Problem):
    """Heat in a rod with given flux, and a general condition inside: u = exp(-t) sin x + x, u_t = u_xx."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")

    @property
    def conditions(self):
        return (
            Initial(u=lambda p: torch.sin(p.x) + p.x),
            Neumann("x", side="low", u=lambda p: -(torch.exp(-p.t) + 1)),
            Neumann("x", side="high", name="right", u=lambda p: torch.exp(-p.t) * torch.cos(p.x) + 1),
            Condition("sensor", at={"x": 0.5}, residual=lambda p, u: u.x - torch.exp(-p.t) * np.cos(0.5) - 1,
                      derivatives=("x",)),
        )  # fmt: skip

    def residual(self, p, u):
        return u.t - u.xx

    def exact(self, p):
        return torch.exp(-p.t) * torch.sin(p.x) + p.x


class Poisson3(Problem):
    """Three coordinates: u = sin x sin y sin z, laplacian -3 u; flux on four faces at once."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 2.0))
    derivatives = ("xx", "yy", "zz")

    @property
    def conditions(self):
        return (Dirichlet("z", u=self.exact), Neumann("x", "y", u=self.flux))

    def flux(self, p):
        n = len(p) // 4
        x, y, z = p.x, p.y, p.z
        sign = torch.tensor([-1.0, 1.0]).repeat_interleave(n)
        along_x = sign * (torch.cos(x) * torch.sin(y) * torch.sin(z))[: 2 * n]
        along_y = sign * (torch.sin(x) * torch.cos(y) * torch.sin(z))[2 * n :]
        return torch.cat([along_x, along_y])

    def residual(self, p, u):
        return u.xx + u.yy + u.zz + 3 * u

    def exact(self, p):
        return torch.sin(p.x) * torch.sin(p.y) * torch.sin(p.z)


class Decay(Problem):
    """An ordinary differential equation, u_t = -u: one coordinate, an initial condition at a single point."""

    domain = Box(t=(0.0, 2.0))
    derivatives = ("t",)
    conditions = (Initial(u=1.0, u_t=-1.0),)

    def residual(self, p, u):
        return u.t + u

    def exact(self, p):
        return torch.exp(-p.t)


class Loop(Problem):
    """Values agree at the two ends, slopes do not."""

    domain = Box(x=(0.0, 1.0))
    derivatives = ("xx",)
    conditions = (Dirichlet("x", side="low", u=0.0), Periodic("x", order=0))

    def residual(self, p, u):
        return u.xx - 2.0

    def exact(self, p):
        return p.x**2 - p.x


class Steel(Problem):
    """A steel plate of 4 cm that cools from 1000 K to 300 K."""

    domain = Box(x=(0.0, 0.04), t=(0.0, 30.0))
    fields, derivatives = ("T",), ("t", "xx")
    conditions = (
        Initial(T=lambda p: 300 + 700 * torch.cos(torch.pi * p.x / 0.08)),
        Neumann("x", side="low", T=0.0),
        Dirichlet("x", side="high", T=300.0),
    )

    def residual(self, p, T):
        return T.t - 5e-5 * T.xx

    def exact(self, p):
        return 300 + 700 * torch.cos(torch.pi * p.x / 0.08) * torch.exp(-5e-5 * (torch.pi / 0.08) ** 2 * p.t)
