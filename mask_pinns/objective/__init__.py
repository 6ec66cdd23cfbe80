"""The objective: the loss of a problem, network and points, its residuals, and their Jacobian.

`objective.py` defines the loss, `residual.py` one part of it, `adaptive_weights.py` weights that change in training;
`operators.py` finds derivatives that can be carried as one stream; `checks.py` evaluates everything once before
training; `compilation.py` compiles the loss; `jacobian.py` and `residual_squares.py` give it to Gauss-Newton as a sum
of squares.
"""

from mask_pinns.objective.adaptive_weights import AdaptiveWeights
from mask_pinns.objective.objective import Objective, PointSets
from mask_pinns.objective.residual import Residual

__all__ = ["AdaptiveWeights", "Objective", "PointSets", "Residual"]
