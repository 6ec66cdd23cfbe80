"""Conditions: residuals that should vanish at a place of the domain; each condition is one term of the loss.

A term is its weight times the sum of the mean squares of its residuals on each piece. A target is a number, or a
function of the points that returns a tensor of shape (N,). A new kind of condition is a subclass of `Condition`.
"""

from mask_pinns.problems.conditions.boundary import Dirichlet, Neumann, Periodic, Robin
from mask_pinns.problems.conditions.condition import Condition, Equation, qualified
from mask_pinns.problems.conditions.data import Data
from mask_pinns.problems.conditions.initial import Initial
from mask_pinns.problems.conditions.integral import Integral, Mean
from mask_pinns.problems.conditions.interface import Interface
from mask_pinns.problems.conditions.pin import Pin
from mask_pinns.problems.conditions.targets import Target

__all__ = [
    "Condition",
    "Data",
    "Dirichlet",
    "Equation",
    "Initial",
    "Integral",
    "Interface",
    "Mean",
    "Neumann",
    "Periodic",
    "Pin",
    "Robin",
    "Target",
    "qualified",
]
