"""Wave2d-CG of PINNacle: a pulse on a membrane whose wave speed varies."""

import torch

from mask_pinns import Box, Initial, Neumann, Problem, RandomField

LOG_STIFFNESS = RandomField("x", "y", length=0.5, std=0.5, seed=0)


class WaveVarying(Problem):
    """u_tt = c (u_xx + u_yy) in [-1, 1]^2, t in [0, 5]; a Gaussian at rest at first; du/dn = 0 on the boundary.

    c(x, y) is the exponential of a smooth Gaussian random field: the benchmark's own is not to be had.
    """

    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0), t=(0.0, 5.0))
    derivatives = ("tt", "xx", "yy")
    conditions = (
        Initial(u=lambda p: torch.exp(-((p.x + 0.5) ** 2 + p.y**2) / 0.18), u_t=0.0),
        Neumann("x", "y", u=0.0),
    )
    reference = "../references/wave_varying.npz"

    def residual(self, p, u):
        return u.tt - torch.exp(LOG_STIFFNESS(p)) * (u.xx + u.yy)
