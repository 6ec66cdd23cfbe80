"""Optimizers and their phases; this package knows parameters and residuals, nothing of physics.

`optimizers.py` names the optimizers; `phases.py` says which one is on; `options.py` checks their options. `broyden.py`
(with `line_search.py`) and `gauss_newton.py` (with `linear_solvers.py`) are the second-order methods; `tangent.py` is a
last phase behind them.
"""

from mask_pinns.optim.optimizers import OPTIMIZERS, Method

__all__ = ["OPTIMIZERS", "Method"]
