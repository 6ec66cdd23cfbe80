"""The Gray-Scott equations in the plane: spots that feed on their surroundings, with steep fronts."""

import torch

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial, Periodic
from mask_pinns.problems.problem import Problem


class GrayScott(Problem):
    """u_t = d Lap u + f (1 - u) - u v^2, v_t = e Lap v - k v + u v^2, x and y in [-1, 1] periodic, t in [0, 200].

    u = 1 - exp(-80 ((x + 0.05)^2 + (y + 0.02)^2)), v = exp(-80 ((x - 0.05)^2 + (y - 0.02)^2)) at t = 0, periodic up to
    exp(-80 0.95^2) = 4e-32. Nondimensional; d = 1e-5, e = 5e-6, f = 0.04, k = 0.1, as in PINNacle (Hao et al. 2024);
    other values have no reference. Fronts are some 0.02 wide. The reference (65 x 65 points at 6 times, in single
    precision) is a spectral solution; references/gray_scott.py makes it and checks it at two resolutions and by another
    integrator: the finer one and that agree to 4e-7.
    """

    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0), t=(0.0, 200.0))
    fields = ("u", "v")
    derivatives = ("t", "xx", "yy")
    conditions = (
        Initial(
            u=lambda p: 1 - torch.exp(-80 * ((p.x + 0.05) ** 2 + (p.y + 0.02) ** 2)),
            v=lambda p: torch.exp(-80 * ((p.x - 0.05) ** 2 + (p.y - 0.02) ** 2)),
        ),
        Periodic("x", order=1),
        Periodic("y", order=1),
    )
    d: float = 1e-5
    e: float = 5e-6
    f: float = 0.04
    k: float = 0.1

    @property
    def reference(self):
        return "references/gray_scott.npz" if (self.d, self.e, self.f, self.k) == (1e-5, 5e-6, 0.04, 0.1) else None

    def residual(self, p, u, v):
        eaten = u * v**2
        return {
            "u": u.t - self.d * (u.xx + u.yy) - self.f * (1 - u) + eaten,
            "v": v.t - self.e * (v.xx + v.yy) + self.k * v - eaten,
        }
