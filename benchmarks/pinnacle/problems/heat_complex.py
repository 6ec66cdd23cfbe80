"""Heat2d-CG of PINNacle: a plate that is warmed through the walls of seventeen holes."""

import torch

from mask_pinns import Box, Disk, Initial, Problem, Robin, union

LARGE = [(x, y) for x in (-4, 4) for y in (-9, -3, 3, 9)] + [(0, -6), (0, 0), (0, 6)]
SMALL = [(x, y) for x in (-3.2, 3.2) for y in (-6, 0, 6)]


def warmed(d, t):
    """u_t = u_dd beside a plane wall at d = 0 with u_d = u - 1, u = 0 at first (Carslaw & Jaeger 1959, 2.7)."""
    root = (t + 1e-12) ** 0.5
    return 1 - torch.erf(d / (2 * root)) - torch.exp(d + t) * (1 - torch.erf(d / (2 * root) + root))


class HeatComplex(Problem):
    """u_t = u_xx + u_yy in [-8, 8] x [-12, 12] less seventeen disks, t in [0, 3]; u = 0 at first.

    du/dn = 5 - u on the disks of radius 1, 1 - u on those of radius 0.4, 0.1 - u on the outer walls.
    """

    plate = Box(x=(-8.0, 8.0), y=(-12.0, 12.0))
    large = union(Disk(x=x, y=y, radius=1.0) for x, y in LARGE)
    small = union(Disk(x=x, y=y, radius=0.4) for x, y in SMALL)
    domain = (plate - large - small) & Box(t=(0.0, 3.0))
    derivatives = ("t", "xx", "yy")
    warmth = (("large", large, 5.0), ("small", small, 1.0), ("walls", plate, 0.1))
    conditions = (Initial(u=0.0), *(Robin(place, a=1.0, u=level, name=name) for name, place, level in warmth))
    reference = "../references/heat_complex.npz"

    def residual(self, p, u):
        return u.t - u.xx - u.yy

    def known_part(self, p):
        """The first moments: heat from each wall as from a plane one, less by r^(-1/2) around a disk."""
        walls = sum(0.1 * warmed(d, p.t) for d in (8 - p.x, 8 + p.x, 12 - p.y, 12 + p.y))
        return walls + self.around(LARGE, 1.0, 5.0, p) + self.around(SMALL, 0.4, 1.0, p)

    def features(self, p):
        """How near the disks are."""
        return tuple(sum(torch.exp(r - d) for d in self.distances(c, p)) for c, r in ((LARGE, 1.0), (SMALL, 0.4)))

    def around(self, centers, radius, level, p):
        return sum(level * warmed(r - radius, p.t) * (radius / r) ** 0.5 for r in self.distances(centers, p))

    def distances(self, centers, p):
        return (((p.x - x) ** 2 + (p.y - y) ** 2) ** 0.5 for x, y in centers)
