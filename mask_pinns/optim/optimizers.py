"""Optimizers by name, each with the properties that training depends on. To add one, add a line to OPTIMIZERS.

This package knows parameters and objectives, but no physics. Phases and their schedule are in `phases.py`.
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
from mask_pinns.optim.tangent import TangentLeastSquares


@dataclass(frozen=True)
class Method:
    """How to build an optimizer, and how training has to use it.

    Attributes:
        build: (parameters, lr=..., **options) -> Optimizer.
        lr: default learning rate.
        decays: whether its learning rate follows the staircase.
        resample: default number of steps between new points; None: that of the datamodule.
        remembers_points: whether its state contains curvature at the current points. When points change, the state is
            cleared, or an optimizer with a method `points_changed` decides what to keep.
        half: whether it trains in half precision, where products have three digits.
        last: whether no other phase can follow it.
        least_squares: whether its closure has to return the loss as a sum of squares (`LeastSquares`), not as a number.
    """

    build: Callable[..., Optimizer]
    lr: float
    decays: bool = True
    resample: int | None = None
    remembers_points: bool = False
    half: bool = False
    least_squares: bool = False
    last: bool = False

    @property
    def searches(self) -> bool:
        """Whether it evaluates the loss several times in a step."""
        return self.remembers_points or self.least_squares


# With tolerances of zero, L-BFGS ends a step when nothing changes any more, not at an arbitrary small change.
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
    "adam": Method(partial(torch.optim.Adam, fused=True), lr=1e-3, half=True),
    "lbfgs": Method(_lbfgs, lr=1.0, decays=False, resample=0, remembers_points=True),
    # Without self-scaling, an H that the initial scaling makes small stays so: on a small wave problem, the loss of
    # BFGS after 400 evaluations was 7 to 35 times higher with it.
    "bfgs": _broyden("bfgs", initial_scaling=False),
    "ssbfgs": _broyden("ssbfgs"),
    "ssbroyden": _broyden("ssbroyden"),
    "gauss_newton": Method(GaussNewton, lr=1.0, decays=False, least_squares=True),
    "tangent": Method(TangentLeastSquares, lr=1.0, decays=False, resample=0, least_squares=True, last=True),
    "soap": Method(partial(SOAP, weight_decay=0.0), lr=3e-3),
}
