"""Heat in a ball in five dimensions (HNd of PINNacle)."""

import torch

from mask_pinns.domains import Ball, Box
from mask_pinns.problems.conditions import Initial, Neumann
from mask_pinns.problems.problem import Problem

SPACE = ("v", "w", "x", "y", "z")


class HeatBall(Problem):
    """u_t = (u_vv + u_ww + u_xx + u_yy + u_zz) / 5 - r^2 / 5 exp(r^2 / 2 + t) in the unit ball, t in [0, 1].

    Exact: u = exp(r^2 / 2 + t), r the distance from the centre, which gives the initial values and the outward normal
    derivative r u = u on the sphere. No direction is special, so that the network receives r^2 as a further input.
    """

    ball = Ball(v=0.0, w=0.0, x=0.0, y=0.0, z=0.0, radius=1.0)
    domain = ball & Box(t=(0.0, 1.0))
    derivatives = ("t", *(2 * c for c in SPACE))

    @property
    def conditions(self):
        return (Initial(u=self.exact), Neumann(self.ball, u=self.exact))

    def residual(self, p, u):
        return u.t - (u.vv + u.ww + u.xx + u.yy + u.zz) / 5 + self.square(p) / 5 * self.exact(p)

    def exact(self, p):
        return torch.exp(self.square(p) / 2 + p.t)

    def features(self, p):
        return (self.square(p),)

    def square(self, p):
        return p.v**2 + p.w**2 + p.x**2 + p.y**2 + p.z**2
