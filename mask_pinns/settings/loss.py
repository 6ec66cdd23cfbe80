"""`LossSettings`: weights of the loss, and the engine of its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jsonargparse.typing import NonNegativeFloat, NonNegativeInt

from mask_pinns.settings.fields import plain, setting


@dataclass(frozen=True)
class LossSettings:
    """Settings of the loss.

    Args:
        weights: weights of loss terms: --weights.initial 100
        causal: causal weights: a point counts once the PDE holds at earlier times; larger is stricter, 0: off
        balance: K: every K steps, weights of residuals are updated by the norms of their gradients; 0: off
        derivatives: engine: jet, autograd (for networks not made of layers on jets)

    A weight is a factor by residual ("initial.u_t"), by term ("initial"), or for all "conditions" (the terms but the
    PDE); without one, a term has the weight that the problem declares.

    Example:
        >>> from mask_pinns import PROBLEMS, LossSettings, Objective
        >>> Objective(PROBLEMS["wave"](), LossSettings(weights={"conditions": 10.0})).weight_of("dirichlet_x")
        10.0
    """

    weights: Mapping[str, float] = setting(factory=dict, kind=dict[str, float], may_change=True, judged=True)
    causal: float = setting(0.0, kind=NonNegativeFloat, may_change=True)
    # A checkpoint depends on whether there are multipliers, not on how often they change.
    balance: int = setting(0, kind=NonNegativeInt, may_change=True, bound=lambda every: "on" if every else "off")
    derivatives: str = setting("jet", bound=plain)
