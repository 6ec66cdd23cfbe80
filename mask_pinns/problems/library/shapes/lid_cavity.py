"""Flow in a square under a moving lid: steady Navier-Stokes with corner singularities (NS2d-C of PINNacle)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet, Pin
from mask_pinns.problems.problem import Problem


class LidCavity(Problem):
    """u u_x + v u_y + P_x = nu (u_xx + u_yy), likewise for v, and u_x + v_y = 0 in [0, 1]^2.

    u = a x (1 - x), v = 0 on the lid y = 1; no slip on the other walls; P(0, 0) = 0. nu: viscosity; a: the lid's speed.
    In both corners of the lid the slope of u jumps and P is unbounded. Their flow is known (Taylor 1962): with the
    distances s from the wall and d from the lid, r^2 = s^2 + d^2 and theta = atan2(d, s),
    u = a (s - pi d / 2 + theta d), v = a theta s, P = 2 a nu log r on the left; v and P change their sign on the right.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    fields = ("u", "v", "P")
    derivatives = ("xx", "yy")
    nu: float = 0.01
    a: float = 4.0

    @property
    def conditions(self):
        floor, walls = (
            Dirichlet("y", side="low", name="floor", u=0.0, v=0.0),
            Dirichlet("x", name="walls", u=0.0, v=0.0),
        )
        lid = Dirichlet("y", side="high", name="lid", u=lambda p: self.a * p.x * (1 - p.x), v=0.0)
        return walls, floor, lid, Pin(P=0.0)

    def residual(self, p, u, v, P):
        return {
            "momentum_x": u * u.x + v * u.y + P.x - self.nu * (u.xx + u.yy),
            "momentum_y": u * v.x + v * v.y + P.y - self.nu * (v.xx + v.yy),
            "continuity": u.x + v.y,
        }

    def known_part(self, p):
        (u1, v1, P1), (u2, v2, P2) = self.corner(p.x, 1 - p.y), self.corner(1 - p.x, 1 - p.y)
        return u1 + u2, v1 - v2, P1 - P2

    def corner(self, s, d):
        theta = torch.atan2(d, s)
        log_r = 0.5 * torch.log(s**2 + d**2 + 1e-30)
        return self.a * (s - pi / 2 * d + theta * d), self.a * theta * s, 2 * self.a * self.nu * log_r

    @property
    def reference(self):
        return "references/lid_cavity.npz" if (self.nu, self.a) == (0.01, 4.0) else None
