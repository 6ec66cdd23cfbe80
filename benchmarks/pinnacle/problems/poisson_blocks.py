"""Poisson2d-MS of PINNacle: a square of 25 blocks of unlike conductivity."""

from math import pi

import numpy as np
import torch

from mask_pinns import Box, HalfPlane, Interface, Problem, Robin

random = np.random.default_rng(2)
A = torch.tensor(10 ** random.uniform(-1, 2, (5, 5)))  # conductivities by block along x, then y
C = torch.tensor(random.uniform(-1, 1, (5, 5, 2, 2)))  # sources: factors of 1 and sin(pi xi), times 1 and sin(pi eta)


def block(z):
    """The number of the block, 0 to 4, along a coordinate from -10 to 10."""
    return ((z + 10) / 4).floor().clamp(0, 4).long()


def line(axis, i):
    """The flux is continuous between blocks i and i + 1 along an axis."""
    plane, other = HalfPlane(**{axis: 4 * i - 6.0}, normal={axis: 1.0}), "y" if axis == "x" else "x"
    table = A if axis == "x" else A.T
    sides = [lambda p, row=table[i + k]: row.to(p.x)[block(getattr(p, other))] for k in (0, 1)]
    return Interface(plane, a=sides, name=f"line_{axis}{i}", u=0.0)


class PoissonBlocks(Problem):
    """div(a grad u) + f = 0 in [-10, 10]^2, a constant in each block; u and a du/dn continuous; du/dn = -u outside."""

    domain = Box(x=(-10.0, 10.0), y=(-10.0, 10.0))
    derivatives = ("xx", "yy")
    conditions = (*(line(axis, i) for axis in "xy" for i in range(4)), Robin("x", "y", a=1.0, u=0.0, name="outside"))
    reference = "../references/poisson_blocks.npz"

    def residual(self, p, u):
        i, j = block(p.x), block(p.y)
        xi, eta = (torch.sin(pi * (z + 10 - 4 * n) / 4) for z, n in ((p.x, i), (p.y, j)))
        c = C.to(p.x)[i, j]
        f = c[:, 0, 0] + c[:, 0, 1] * eta + c[:, 1, 0] * xi + c[:, 1, 1] * xi * eta
        return u.xx + u.yy + f / A.to(p.x)[i, j]
