"""Optimizers by name, each with what its kind needs to know. A new one: a line in OPTIMIZERS.

`optim` knows parameters and objectives, nothing of physics. Phases and their schedule are in `phases.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from pytorch_optimizer import SOAP
from torch.optim import Optimizer

from mask_pinns.optim.broyden import SelfScaledBroyden
from mask_pinns.optim.gauss_newton import GaussNewton


@dataclass(frozen=True)
class Method:
    """How to build an optimizer, and how it wants to be driven.

    Attributes:
        build: (parameters, lr=..., **options) -> Optimizer.
        lr: learning rate unless said otherwise.
        decays: whether its learning rate follows the staircase.
        resample: steps between fresh points unless said otherwise; None leaves it to the data.
        remembers_points: whether it keeps curvature of the points it saw, to be dropped when they change (or judged
            anew, by an optimizer that has a method `points_changed`).
        least_squares: whether its closure is to return the loss as a sum of squares (`LeastSquares`), not as a number.
    """

    build: Callable[..., Optimizer]
    lr: float
    decays: bool = True
    resample: int | None = None
    remembers_points: bool = False
    least_squares: bool = False

    @property
    def searches(self) -> bool:
        """Whether it looks at the loss several times in a step."""
        return self.remembers_points or self.least_squares


# Tolerances of zero: L-BFGS ends a step when nothing moves any more, not at an arbitrary small change.
_lbfgs: Any = partial(
    torch.optim.LBFGS,
    line_search_fn="strong_wolfe",
    max_iter=20,
    max_eval=50,
    history_size=100,
    tolerance_grad=0.0,
    tolerance_change=0.0,
)


def _broyden(variant: str, **options: Any) -> Method:
    build = partial(SelfScaledBroyden, variant=variant, **options)
    return Method(build, lr=1.0, decays=False, resample=0, remembers_points=True)


OPTIMIZERS: dict[str, Method] = {
    "adam": Method(partial(torch.optim.Adam, fused=True), lr=1e-3),
    "lbfgs": Method(_lbfgs, lr=1.0, decays=False, resample=0, remembers_points=True),
    # Without self-scaling, an H that the first curvature made small stays so: on a small wave problem BFGS's loss after
    # 400 evaluations was 7 to 35 times higher with it.
    "bfgs": _broyden("bfgs", initial_scaling=False),
    "ssbfgs": _broyden("ssbfgs"),
    "ssbroyden": _broyden("ssbroyden"),
    "gauss_newton": Method(GaussNewton, lr=1.0, decays=False, least_squares=True),
    "soap": Method(partial(SOAP, weight_decay=0.0), lr=3e-3),
}
