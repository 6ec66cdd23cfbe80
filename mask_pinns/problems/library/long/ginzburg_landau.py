"""The complex Ginzburg-Landau equation in one dimension: waves of phase with steep holes between them."""

from math import pi

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class GinzburgLandau(Problem):
    """A_t = eps A_xx + k (A - (1 + i c) |A|^2 A), A = u + i v, x in [-1, 1] periodic, t in [0, 1].

    u(x, 0) = cos(pi x) / 2, v(x, 0) = sin(2 pi x) / 2. Nondimensional; eps = 0.004, k = 10, c = 1.5, those of the jaxpi
    benchmark, which is in two dimensions and starts otherwise; other values have no reference. |A| grows to about 1 and
    its phase turns at the rate k c; A stays zero at x = -1/2 and 1/2, in holes of width sqrt(eps / k) = 0.02.
    The reference (257 x 51 points) is a spectral solution; references/ginzburg_landau.py makes it and checks it at two
    resolutions and by another integrator.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    fields = ("u", "v")
    derivatives = ("t", "xx")
    conditions = (
        Initial(u=lambda p: 0.5 * torch.cos(pi * p.x), v=lambda p: 0.5 * torch.sin(2 * pi * p.x)),
        Periodic("x", order=1),
    )
    eps: float = 0.004
    k: float = 10.0
    c: float = 1.5

    @property
    def reference(self):
        return "references/ginzburg_landau.npz" if (self.eps, self.k, self.c) == (0.004, 10.0, 1.5) else None

    def residual(self, p, u, v):
        square = u * u + v * v
        return {
            "u": u.t - self.eps * u.xx - self.k * (u - (u - self.c * v) * square),
            "v": v.t - self.eps * v.xx - self.k * (v - (v + self.c * u) * square),
        }
