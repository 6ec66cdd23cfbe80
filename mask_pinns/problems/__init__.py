"""Problems: a PDE with its domain, fields, conditions and, if it is known, its solution.

`problem.py` defines the declaration that users write, `coefficients.py` its coefficients, `conditions/` the conditions
on places of the domain, `fields.py` the fields in residuals, `evaluation_grid.py` the grid and the true values;
`derived/` finds from a declaration what its residuals depend on, its characteristic scales, and what it determines;
`unknowns.py` has what is found with the fields.
`library/` contains the problems of this package.
"""

from mask_pinns.problems.conditions import (
    Condition,
    Data,
    Dirichlet,
    Initial,
    Integral,
    Interface,
    Mean,
    Neumann,
    Periodic,
    Pin,
    Robin,
)
from mask_pinns.problems.evaluation_grid import Evaluation
from mask_pinns.problems.library import PROBLEMS
from mask_pinns.problems.problem import Problem
from mask_pinns.problems.unknowns import Unknown

__all__ = [
    "PROBLEMS", "Condition", "Data", "Dirichlet", "Evaluation", "Initial", "Integral", "Interface", "Mean", "Neumann",
    "Periodic", "Pin", "Problem", "Robin", "Unknown",
]  # fmt: skip
