"""The Kuramoto-Sivashinsky equation: a smooth start that becomes chaotic."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class KuramotoSivashinsky(Problem):
    """u_t + a u u_x + b u_xx + c u_xxxx = 0, x in [0, 2 pi] periodic, t in [0, 1]; u(x, 0) = cos x (1 + sin x).

    Nondimensional; a = 100/16, b = 100/16^2, c = 100/16^4, as in the jaxpi benchmark; other values have no reference.
    Waves of wave number 11 grow at the rate 25 until about t = 0.4; from then on the solution is chaotic: it multiplies
    errors. The reference (257 x 101 points) is a spectral solution; references/kuramoto_sivashinsky.py makes it and
    checks it at two resolutions and by another integrator: they agree to 7e-8 and 2e-8.
    """

    domain = Box(x=(0.0, 2 * pi), t=(0.0, 1.0))
    derivatives = ("t", "xx", "xxxx")
    conditions = (Initial(u=lambda p: torch.cos(p.x) * (1 + torch.sin(p.x))), Periodic("x", order=3))
    a: float = 100 / 16
    b: float = 100 / 16**2
    c: float = 100 / 16**4

    @property
    def reference(self):
        known = (self.a, self.b, self.c) == (100 / 16, 100 / 16**2, 100 / 16**4)
        return "references/kuramoto_sivashinsky.npz" if known else None

    def residual(self, p, u):
        return u.t + self.a * u * u.x + self.b * u.xx + self.c * u.xxxx
