"""Burgers2d-C of PINNacle: Burgers' equations in the plane, from random waves that steepen to shocks."""

from itertools import product
from math import pi
from types import SimpleNamespace

import numpy as np
import torch

from mask_pinns import Box, Initial, Periodic, Problem

random = np.random.default_rng(0)
SINES, COSINES, MEANS = (random.standard_normal(shape) for shape in ((2, 4, 4), (2, 4, 4), 2))  # by field, i, j


def waves(k, p):
    """The sum over i, j of SINES sin 2 pi (i x + j y) + COSINES cos 2 pi (i x + j y) for a field; its period is 1."""
    phases = ((i, j, 2 * pi * (i * p.x + j * p.y)) for i, j in product(range(4), repeat=2) if i or j)
    moving = sum(float(SINES[k, i, j]) * torch.sin(z) + float(COSINES[k, i, j]) * torch.cos(z) for i, j, z in phases)
    return moving + float(COSINES[k, 0, 0])


X, Y = torch.meshgrid(2 * [torch.arange(400.0).double() / 400], indexing="ij")
GRID = SimpleNamespace(x=X, y=Y)
HIGHEST = [float(waves(k, GRID).max()) for k in (0, 1)]


class Burgers2D(Problem):
    """u_t + u u_x + v u_y = n (u_xx + u_yy), v_t + u v_x + v v_y = n (v_xx + v_yy), periodic, t in [0, 1], n = 0.001.

    Its start has period 1, so that a quarter of the benchmark's length and width is the whole solution.
    """

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 1.0))
    fields = ("u", "v")
    derivatives = ("t", "xx", "yy")
    conditions = (
        Initial(**{f: lambda p, k=k: 2 / HIGHEST[k] * waves(k, p) + float(MEANS[k]) for k, f in enumerate("uv")}),
        Periodic("x", order=1),
        Periodic("y", order=1),
    )
    reference = "../references/burgers_2d.npz"

    def residual(self, p, u, v):
        return {
            "u": u.t + u * u.x + v * u.y - 1e-3 * (u.xx + u.yy),
            "v": v.t + u * v.x + v * v.y - 1e-3 * (v.xx + v.yy),
        }
