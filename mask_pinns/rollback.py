"""What happens when the loss becomes NaN or infinite: the run stops, or goes back to weights that were good.

Going back: the weights of the last look that found the loss finite, with half the step (`lr`: the learning rate; the
first trial of a line search; the factor on Gauss-Newton's step), and without what the optimizer remembers (moments,
curvature, damping), for that led here. Steps are not taken back: the run goes on from the step at which it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mask_pinns.optim.phases import forget

ANSWERS = {"stop": False, "rollback": True}
"""To a loss that is not finite: whether the run goes back."""
MOST = 5
"""Times that a run goes back; then it stops."""


class NonFiniteLoss(RuntimeError):
    """A loss that became NaN or infinite; the message names the step and the loss term."""


class GoodWeights:
    """A copy of a module's weights when its loss was last seen finite, and how often the run went back to one."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.step, self.count = -1, 0
        self.weights: dict[str, Tensor] = {}

    def keep(self, module: nn.Module, step: int) -> None:
        """Takes the copy; it goes into checkpoints, so that a resumed run goes back to the same weights."""
        self.step = step
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def go_back(self, module: nn.Module, optimizer: Optimizer, error: NonFiniteLoss) -> str:
        """Puts the weights back and halves the step; says so. Raises NonFiniteLoss where that cannot help."""
        if not self.weights:
            raise error  # the first look at the loss: there is nothing to go back to
        if self.count == MOST:
            raise NonFiniteLoss(f"{error}, after going back {MOST} times")
        self.count += 1
        module.load_state_dict(self.weights)
        forget(optimizer)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
        lr = optimizer.param_groups[0]["lr"]
        return f"{error}; back to the weights of step {self.step}, lr {lr:g} ({self.count} of at most {MOST} times)"

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "count": self.count, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step, self.count, self.weights = state["step"], state["count"], dict(state["weights"])


def not_finite(network: nn.Module, step: int) -> NonFiniteLoss | None:
    """What to raise where a parameter is NaN or infinite."""
    bad = next((name for name, p in network.named_parameters() if not torch.isfinite(p).all()), None)
    return NonFiniteLoss(f"parameter {bad!r} is not finite at step {step}") if bad else None
