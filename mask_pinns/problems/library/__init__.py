"""The problems of this package by name. To add one, add a file with a `Problem` here, and a line to PROBLEMS."""

from __future__ import annotations

from mask_pinns.problems.library.allen_cahn import AllenCahn
from mask_pinns.problems.library.burgers import Burgers
from mask_pinns.problems.library.convection import Convection
from mask_pinns.problems.library.helmholtz import Helmholtz
from mask_pinns.problems.library.inverse.burgers_inverse import BurgersInverse
from mask_pinns.problems.library.inverse.cooling import Cooling
from mask_pinns.problems.library.inverse.heat_inverse import HeatInverse
from mask_pinns.problems.library.inverse.lorenz_inverse import LorenzInverse
from mask_pinns.problems.library.inverse.poisson_inverse import PoissonInverse
from mask_pinns.problems.library.inverse.robin_inverse import RobinInverse
from mask_pinns.problems.library.kdv import KdV
from mask_pinns.problems.library.klein_gordon import KleinGordon
from mask_pinns.problems.library.kovasznay import Kovasznay
from mask_pinns.problems.library.long.burgers_periodic import BurgersPeriodic
from mask_pinns.problems.library.long.convection_long import ConvectionLong
from mask_pinns.problems.library.long.ginzburg_landau import GinzburgLandau
from mask_pinns.problems.library.long.gray_scott import GrayScott
from mask_pinns.problems.library.long.kuramoto_sivashinsky import KuramotoSivashinsky
from mask_pinns.problems.library.long.lorenz import Lorenz
from mask_pinns.problems.library.long.wave_long import WaveLong
from mask_pinns.problems.library.shapes.back_step import BackStep
from mask_pinns.problems.library.shapes.heat_ball import HeatBall
from mask_pinns.problems.library.shapes.l_shape import LShape
from mask_pinns.problems.library.shapes.lid_cavity import LidCavity
from mask_pinns.problems.library.shapes.pipes import Pipes
from mask_pinns.problems.library.shapes.plate import Plate
from mask_pinns.problems.library.shapes.poisson_boltzmann import PoissonBoltzmann
from mask_pinns.problems.library.wave import Wave
from mask_pinns.problems.library.wave_two_modes import WaveTwoModes
from mask_pinns.problems.problem import Problem

PROBLEMS: dict[str, type[Problem]] = {
    "wave": Wave,
    "convection": Convection,
    "helmholtz": Helmholtz,
    "burgers": Burgers,
    "kdv": KdV,
    "allen_cahn": AllenCahn,
    "klein_gordon": KleinGordon,
    "kovasznay": Kovasznay,
    "wave_two_modes": WaveTwoModes,
    "pipes": Pipes,
    "poisson_boltzmann": PoissonBoltzmann,
    "lid_cavity": LidCavity,
    "back_step": BackStep,
    "l_shape": LShape,
    "plate": Plate,
    "heat_ball": HeatBall,
    "cooling": Cooling,
    "burgers_inverse": BurgersInverse,
    "lorenz_inverse": LorenzInverse,
    "robin_inverse": RobinInverse,
    "poisson_inverse": PoissonInverse,
    "heat_inverse": HeatInverse,
    "wave_long": WaveLong,
    "convection_long": ConvectionLong,
    "burgers_periodic": BurgersPeriodic,
    "kuramoto_sivashinsky": KuramotoSivashinsky,
    "lorenz": Lorenz,
    "ginzburg_landau": GinzburgLandau,
    "gray_scott": GrayScott,
}
