"""NS2d-LT of PINNacle: a channel whose inlet pulses, with a force that swings."""

from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem


class ChannelPulses(Problem):
    """The Navier-Stokes equations in [0, 2] x [0, 1], t in [0, 5], nu = 0.01, force (0, -sin pi x sin pi y sin pi t).

    Inlet x = 0: u = sin(pi y) (sin pi t + sin 3 pi t + sin 5 pi t), v = 0; outlet x = 2: P = 0, v = 0; no slip on the
    walls; at rest at first. The benchmark's P = 0 at first is no condition of the equations.
    """

    domain = Box(x=(0.0, 2.0), y=(0.0, 1.0), t=(0.0, 5.0))
    fields = ("u", "v", "P")
    derivatives = ("t", "xx", "yy")
    conditions = (
        Initial(u=0.0, v=0.0),
        Dirichlet("x", side="low", name="inlet", u=lambda p: ChannelPulses.pulse(p), v=0.0),
        Dirichlet("x", side="high", name="outlet", v=0.0, P=0.0),
        Dirichlet("y", name="walls", u=0.0, v=0.0),
    )
    reference = "../references/channel_pulses.npz"

    def residual(self, p, u, v, P):
        force = -torch.sin(pi * p.x) * torch.sin(pi * p.y) * torch.sin(pi * p.t)
        return {
            "momentum_x": u.t + u * u.x + v * u.y + P.x - 0.01 * (u.xx + u.yy),
            "momentum_y": v.t + u * v.x + v * v.y + P.y - 0.01 * (v.xx + v.yy) - force,
            "continuity": u.x + v.y,
        }

    @staticmethod
    def pulse(p):
        return torch.sin(pi * p.y) * sum(torch.sin(k * pi * p.t) for k in (1, 3, 5))
