"""A plate with a hole under tension: plane stress, with Kirsch's solution (1898)."""

from mask_pinns.domains import Box, Disk
from mask_pinns.problems.conditions import Condition, Dirichlet, Neumann
from mask_pinns.problems.problem import Problem


class Plate(Problem):
    """A quarter of a plate around a hole of radius 0.5, drawn along x with a tension of 1 far away; E = 1.

    Plane stress: (u_xx + v_xy) + k (u_yy - v_xy) = 0, (v_yy + u_xy) + k (v_xx - u_xy) = 0, k = (1 - nu) / 2; no
    traction on the hole, no displacement across the lines of symmetry, Kirsch's displacements on the outer edges.
    """

    hole = Disk(x=0.0, y=0.0, radius=0.5)
    domain = Box(x=(0.0, 2.0), y=(0.0, 2.0)) - hole
    fields, derivatives = ("u", "v"), ("xx", "xy", "yy")
    nu: float = 0.3

    @property
    def conditions(self):
        return (
            Dirichlet("x", side="low", name="left", u=0.0), Neumann("x", side="low", name="left_shear", v=0.0),
            Dirichlet("y", side="low", name="lower", v=0.0), Neumann("y", side="low", name="lower_shear", u=0.0),
            Dirichlet("x", "y", side="high", name="outer", u=lambda p: self.exact(p)[0], v=lambda p: self.exact(p)[1]),
            Condition("traction", where=self.hole, residual=self.traction, derivatives=("x", "y")),
        )  # fmt: skip

    def residual(self, p, u, v):
        k = (1 - self.nu) / 2
        return (u.xx + v.xy) + k * (u.yy - v.xy), (v.yy + u.xy) + k * (v.xx - u.xy)

    def traction(self, p, u, v):
        shear = (1 - self.nu) / 2 * (u.y + v.x)
        along, up = u.x + self.nu * v.y, v.y + self.nu * u.x
        return along * p.normal.x + shear * p.normal.y, shear * p.normal.x + up * p.normal.y

    def exact(self, p):
        r2, c = p.x**2 + p.y**2, (3 - self.nu) / (1 + self.nu)
        q = 0.25 / r2  # (radius / r)^2
        cos = (p.x**2 - p.y**2) / r2
        radial = c - 1 + 2 * q + (2 + 2 * (1 + c) * q - 2 * q**2) * cos
        turn = (2 + 2 * (c - 1) * q + 2 * q**2) * (2 / r2)  # -(u_theta / r) / (x y / r^2), times 8 G
        scale = (1 + self.nu) / 4  # 1 / (8 G)
        return scale * (radial * p.x + turn * p.x * p.y**2), scale * (radial * p.y - turn * p.x**2 * p.y)
