"""The three coefficients of the Lorenz equations, from 25 measurements."""

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown


class LorenzInverse(Problem):
    """x' = s (y - x), y' = x (r - z) - y, z' = x y - b z, t in [0, 3], s, r and b unknown.

    25 measurements of x, y and z without noise, s = 10, r = 15, b = 8/3, from (-8, 7, 27) (as in DeepXDE's example).
    """

    domain = Box(t=(0.0, 3.0))
    fields = ("x", "y", "z")
    derivatives = ("t",)
    unknowns = tuple(Unknown(name, start=5.0, positive=True) for name in ("s", "r", "b"))
    conditions = (Data("measurements/lorenz.csv"),)
    reference = "measurements/lorenz.npz"

    def residual(self, p, x, y, z, s, r, b):
        return {"x": x.t - s * (y - x), "y": y.t - (x * (r - z) - y), "z": z.t - (x * y - b * z)}
