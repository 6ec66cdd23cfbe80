"""Flow over a backward step: steady Navier-Stokes in a channel that becomes wider (NS2d-CG of PINNacle)."""

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Dirichlet
from mask_pinns.problems.problem import Problem


class BackStep(Problem):
    """u u_x + v u_y + P_x = nu (u_xx + u_yy), likewise for v, u_x + v_y = 0 in [0, 4] x [0, 2] less [0, 2] x [1, 2].

    u = 4 y (1 - y), v = 0 at the inlet x = 0; P = 0, v = 0 at the outlet x = 4; no slip on the walls. nu: viscosity.
    """

    channel, step = Box(x=(0.0, 4.0), y=(0.0, 2.0)), Box(x=(0.0, 2.0), y=(1.0, 2.0))
    domain = channel - step
    fields = ("u", "v", "P")
    derivatives = ("xx", "yy")
    conditions = (
        Dirichlet("y", step, name="walls", u=0.0, v=0.0),
        Dirichlet("x", side="low", name="inlet", u=lambda p: 4 * p.y * (1 - p.y), v=0.0),
        Dirichlet("x", side="high", name="outlet", v=0.0, P=0.0),
    )
    nu: float = 0.01

    def residual(self, p, u, v, P):
        r2 = (p.x - 2.0) ** 2 + (p.y - 1.0) ** 2
        weight = (r2 / (r2 + 0.1)) ** 0.75
        return {
            "momentum_x": weight * (u * u.x + v * u.y + P.x - self.nu * (u.xx + u.yy)),
            "momentum_y": weight * (u * v.x + v * v.y + P.y - self.nu * (v.xx + v.yy)),
            "continuity": u.x + v.y,
        }

    def features(self, p):
        x, y = p.x - 2.0, p.y - 1.0
        root, angle = (x**2 + y**2) ** 0.2722, 0.5445 * torch.atan2(x + y, x - y)
        layers = (torch.exp((p.x - 4.0) / (factor * self.nu)) for factor in (2, 8))
        return root * torch.cos(angle), root * torch.sin(angle), *layers

    @property
    def reference(self):
        return "references/back_step.npz" if self.nu == 0.01 else None
