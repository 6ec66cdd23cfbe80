"""The Allen-Cahn equation: thin fronts between two phases, a standard difficult case for PINNs (Raissi et al. 2019)."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem

TIME_OFFSET = 1e-16
"""Added to t, so that derivatives of the kink are finite at t = 0, where it is off by 2e-10.

With less they are NaN in single precision: at 1e-18 a square overflows."""


class AllenCahn(Problem):
    """u_t - epsilon u_xx + 5 u^3 - 5 u = 0, x in [-1, 1] periodic, t in [0, 1]; u(x, 0) = x^2 cos(pi x).

    epsilon: diffusion, 1e-4 by default; other values have no reference. The initial slopes at the two ends differ
    (2 and -2): for t > 0 both are zero, in a layer of width sqrt(epsilon t). The hard initial condition contains this
    kink as diffusion smooths it (`melting`). The reference (257 x 101 points) is a spectral solution;
    references/allen_cahn.py makes and checks it.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    epsilon: float = 1e-4

    @property
    def conditions(self):
        return (
            Initial(u=lambda p: p.x**2 * torch.cos(pi * p.x), extended={"u": self.melting}),
            Periodic("x", order=1),
        )

    def melting(self, p):
        """x^2 cos(pi x) + 2 (exp(-10 t) K - s): s = cos(pi x / 2) 2 / pi has half the kink, slope one.

        K = s erf(s / w) + w / sqrt(pi) exp(-(s / w)^2), w^2 = 4 epsilon t, is |s| after diffusion by the heat equation.
        At the kink u = -1, where the reaction 5 u - 5 u^3 damps deviations at the rate 10. The remainder of the
        solution is smooth there.
        """
        s = torch.cos(pi / 2 * p.x) * (2 / pi)
        w = torch.sqrt((p.t + TIME_OFFSET) * (4 * self.epsilon))
        kink = s * torch.erf(s / w) + w * torch.exp(-((s / w) ** 2)) * (1 / pi**0.5)
        return p.x**2 * torch.cos(pi * p.x) + 2 * (torch.exp(-10 * p.t) * kink - s)

    @property
    def reference(self):
        return "references/allen_cahn.npz" if self.epsilon == 1e-4 else None

    def residual(self, p, u):
        return u.t - self.epsilon * u.xx + 5 * u**3 - 5 * u
