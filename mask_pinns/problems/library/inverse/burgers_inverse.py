"""Both coefficients of Burgers' equation, from measurements of its solution."""

from math import pi

from mask_pinns.domains import Box
from mask_pinns.problems.conditions import Data
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown


class BurgersInverse(Problem):
    """u_t + c u u_x = nu u_xx, x in [-1, 1], t in [0, 1], c and nu unknown; no conditions but measurements.

    2,000 measurements at random points of the solution of `burgers`, c = 1 and nu = 0.01 / pi (Raissi et al. 2019).
    noise: standard deviation of the measurements relative to that of u, 0 or 0.01.
    """

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("c", start=0.5), Unknown("nu", start=0.05 / pi, positive=True))
    reference = "../references/burgers.npz"
    noise: float = 0.0

    @property
    def conditions(self):
        return (Data(f"measurements/burgers_{self.noise:g}.csv", noise=self.noise * 0.61 or None),)

    def residual(self, p, u, c, nu):
        return u.t + c * u * u.x - nu * u.xx
