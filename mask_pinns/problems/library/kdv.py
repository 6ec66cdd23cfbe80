"""The Korteweg-de Vries equation: a cosine that breaks up into solitons (Zabusky & Kruskal 1965)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class KdV(Problem):
    """u_t + u u_x + delta^2 u_xxx = 0, x in [-1, 1] periodic, t in [0, 1]; u(x, 0) = cos(pi x).

    delta: dispersion, 0.022 by default (a published setting of Mask-PINNs, arXiv 2505.06331); other values have no
    reference. The reference (257 x 101 points) is a spectral solution; references/kdv.py makes and checks it.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xxx")
    conditions = (Initial(u=lambda p: torch.cos(pi * p.x)), Periodic("x", order=2))
    delta: float = 0.022

    @property
    def reference(self):
        return "references/kdv.npz" if self.delta == 0.022 else None

    def residual(self, p, u):
        return u.t + u * u.x + self.delta**2 * u.xxx
