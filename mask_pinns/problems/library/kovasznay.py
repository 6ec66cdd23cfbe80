"""Kovasznay flow behind a row of cylinders: steady Navier-Stokes with a known solution (Kovasznay 1948)."""

from math import pi, sqrt

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Condition, Dirichlet
from mask_pinns.problems.problem import Problem


class Kovasznay(Problem):
    """(u u_x + v u_y) + P_x = (u_xx + u_yy) / Re, likewise for v, and u_x + v_y = 0; x in [-0.5, 1], y in [-0.5, 1.5].

    Re: Reynolds number. Exact, with l = Re / 2 - sqrt(Re^2 / 4 + 4 pi^2):
    u = 1 - exp(l x) cos(2 pi y), v = l / (2 pi) exp(l x) sin(2 pi y), P = (1 - exp(2 l x)) / 2.
    Both velocities are given on all four walls. They determine the pressure up to a constant; P(0, 0) = 0 sets it.
    """

    domain = Box(x=(-0.5, 1.0), y=(-0.5, 1.5))
    fields = ("u", "v", "P")
    derivatives = ("xx", "yy")
    Re: float = 40.0

    @property
    def conditions(self):
        return (
            Dirichlet("x", "y", name="walls", u=lambda p: self.exact(p)[0], v=lambda p: self.exact(p)[1]),
            Condition("pressure", at={"x": 0.0, "y": 0.0}, residual=lambda p, u, v, P: P),
        )

    def residual(self, p, u, v, P):
        return {
            "momentum_x": u * u.x + v * u.y + P.x - (u.xx + u.yy) / self.Re,
            "momentum_y": u * v.x + v * v.y + P.y - (v.xx + v.yy) / self.Re,
            "continuity": u.x + v.y,
        }

    def exact(self, p):
        rate = self.Re / 2 - sqrt(self.Re**2 / 4 + 4 * pi**2)
        decay = torch.exp(rate * p.x)
        u = 1 - decay * torch.cos(2 * pi * p.y)
        v = rate / (2 * pi) * decay * torch.sin(2 * pi * p.y)
        return u, v, (1 - decay**2) / 2
