"""The rows of PINNacle (Hao et al., NeurIPS 2024, arXiv 2306.08827): recipe, best in print, aim, reference of each.

"Best" is the lowest mean error over the eleven methods of that paper, of 20,000 Adam steps each, unless another source
is named. "Exact" references are formulas; the others are made by the scripts that are named, which show convergence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECIPES = HERE.parents[1] / "configs"
DSGNAR = "arXiv 2607.02194, one H100"
"""Doubly sketched Gauss-Newton in time windows (Webb, Jerad & Cartis 2026)."""


@dataclass(frozen=True)
class Row:
    """One problem of the benchmark.

    Attributes:
        recipe: the name of a YAML file in recipes/ beside this one, or of a recipe in configs/.
        best, source: the smallest error in print, and where, if not in PINNacle itself.
        aim, minutes: the error at most, within so long on two CPU cores.
        fields: those that are compared, jointly; none: all.
        others: the benchmark's own reference, a file in the folder that `--data` names.
        note: what differs from the benchmark's statement.
    """

    recipe: str
    best: float
    aim: float
    minutes: int
    source: str = ""
    fields: tuple[str, ...] = ()
    others: str = ""
    note: str = ""

    @property
    def path(self) -> Path:
        """The recipe's file."""
        own = HERE / "recipes" / f"{self.recipe}.yaml"
        return own if own.is_file() else RECIPES / f"{self.recipe}.yaml"


ROWS = {
    "Burgers1d-C": Row("burgers", 1.45e-2, 1e-8, 15, others="burgers1d.npz"),
    "Burgers2d-C": Row("burgers_2d", 2.60e-1, 2.6e-2, 60, note="own random start"),
    "Poisson2d-C": Row("pipes", 1.23e-2, 1e-5, 10, others="poisson_classic.npz"),
    "Poisson2d-CG": Row("poisson_boltzmann", 1.43e-2, 1e-5, 10, others="poisson_boltzmann2d.npz"),
    "Poisson3d-CG": Row("poisson_balls", 9.47e-2, 5e-3, 30),
    "Poisson2d-MS": Row(
        "poisson_blocks", 5.90e-1, 5.9e-2, 60, note="own coefficients of the same kind; u and a du/dn continuous"
    ),
    "Heat2d-VC": Row("heat_varying", 2.12e-1, 1e-2, 30, note="own smooth random diffusivity"),
    "Heat2d-MS": Row(
        "heat_multiscale", 6.21e-2, 1e-5, 15, others="heat_multiscale_lesspoints.npz", note="the file is 1.3e-2 off"
    ),
    "Heat2d-CG": Row("heat_complex", 2.39e-2, 1e-3, 30),
    "Heat2d-LT": Row("heat_long", 9.99e-1, 1e-1, 60, others="heat_longtime.npz"),
    "NS2d-C": Row("lid_cavity", 1.13e-4, 1.1e-4, 15, source=DSGNAR, fields=("u", "v"), others="lid_driven_a4.npz"),
    "NS2d-CG": Row("back_step", 8.24e-2, 5e-3, 20, fields=("u", "v"), others="ns_0_obstacle.npz"),
    "NS2d-LT": Row("channel_pulses", 9.70e-1, 9.7e-2, 60, fields=("u", "v"), note="v = 0 at the outlet"),
    "Wave1d-C": Row("wave_two_modes", 1.20e-15, 1e-10, 15, source=DSGNAR),
    "Wave2d-CG": Row("wave_varying", 7.94e-1, 2e-2, 45, note="own smooth random coefficient"),
    "Wave2d-MS": Row("wave_multiscale", 9.82e-1, 9.8e-2, 60, note="corrected: its solution is none"),
    "KS": Row("kuramoto_sivashinsky", 5.12e-7, 1e-4, 45, source=DSGNAR, note="periodic"),
    "GS": Row("gray_scott", 7.99e-2, 8e-3, 60, note="periodic"),
    "PNd": Row("poisson_nd", 4.67e-4, 1e-8, 10, note="arXiv 2607.02194 has 3.0e-16 for cosines in 5-D"),
    "HNd": Row("heat_ball", 1.19e-4, 1e-8, 10),
    "PInv": Row("poisson_inverse", 2.45e-2, 2e-3, 10, note="source corrected"),
    "HInv": Row("heat_inverse", 5.26e-2, 5e-3, 10),
}  # fmt: skip
"""By the benchmark's name, in its order."""
