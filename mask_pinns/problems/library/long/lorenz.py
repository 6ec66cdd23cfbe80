"""The Lorenz equations in their chaotic regime, over twenty units of time."""

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Initial
from mask_pinns.problems.problem import Problem


class Lorenz(Problem):
    """x' = s (y - x), y' = x (r - z) - y, z' = x y - b z, t in [0, 20]; x = y = z = 1 at t = 0.

    Nondimensional; s = 10, r = 28, b = 8/3 (Lorenz 1963); other values have no reference. Chaos multiplies errors by
    about exp(0.9 t), 7e7 at t = 20. The reference (2,001 times) is a Taylor series in numbers of 50 digits,
    exact up to the rounding of what is stored; references/lorenz.py makes it and checks it by SciPy's DOP853, which in
    double precision has an error of 6e-8 left at t = 20. So a residual of 1e-8 early on becomes an error of order one.
    """

    domain = Box(t=(0.0, 20.0))
    fields = ("x", "y", "z")
    derivatives = ("t",)
    conditions = (Initial(x=1.0, y=1.0, z=1.0),)
    s: float = 10.0
    r: float = 28.0
    b: float = 8 / 3

    @property
    def reference(self):
        return "references/lorenz.npz" if (self.s, self.r, self.b) == (10.0, 28.0, 8 / 3) else None

    def residual(self, p, x, y, z):
        return {
            "x": x.t - self.s * (y - x),
            "y": y.t - (x * (self.r - z) - y),
            "z": z.t - (x * y - self.b * z),
        }
