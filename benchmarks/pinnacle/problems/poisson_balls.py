"""Poisson3d-CG of PINNacle: a screened Poisson equation in a cube with four round holes, insulated everywhere."""

from math import pi

import torch

from mask_pinns import Ball, Box, Neumann, Problem, union

BALLS = ((0.4, 0.3, 0.6, 0.2), (0.6, 0.7, 0.6, 0.2), (0.2, 0.8, 0.7, 0.1), (0.6, 0.2, 0.3, 0.1))


class PoissonBalls(Problem):
    """-(u_xx + u_yy + u_zz) + k^2 u = f in [0, 1]^3 less four balls, du/dn = 0; k = 8 where z < 0.5, 10 above.

    Where k jumps, so does u_zz: the network receives a function with such a jump.
    """

    cube = Box(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0))
    balls = union(Ball(x=x, y=y, z=z, radius=r) for x, y, z, r in BALLS)
    domain = cube - balls
    derivatives = ("xx", "yy", "zz")
    conditions = (Neumann(cube, u=0.0), Neumann(balls, u=0.0))
    reference = "../references/poisson_balls.npz"

    def residual(self, p, u):
        sx, sy, sz = torch.sin(pi * p.x), torch.sin(10 * pi * p.y), torch.sin(5 * pi * p.z)
        r2 = p.x**2 + p.y**2 + p.z**2
        f = 20 * torch.exp(sx + sy + sz) * (r2 - 1) / (r2 + 1) + 100 * sx * sy * sz
        k2 = torch.where(p.z < 0.5, 64.0, 100.0)
        return (-(u.xx + u.yy + u.zz) + k2 * u - f) / 100

    def features(self, p):
        above = p.z - 0.5
        return (above * (above**2) ** 0.5,)
