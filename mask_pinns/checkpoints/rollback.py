"""The response to a loss that becomes NaN or infinite: the run stops, or restores earlier weights.

A rollback restores the last stored weights at which the loss was finite, halves the step (`lr`: the learning rate; the
first trial of a line search; the factor on Gauss-Newton's step), and clears the optimizer's state (moments, curvature,
damping), which led to the failure. The steps count: the run continues from the step at which it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mask_pinns.optim.phases import forget
from mask_pinns.registry import lookup

NONFINITE_RESPONSES = {"stop": False, "rollback": True}
"""Whether a run goes back when its loss is not finite, by the name of the response."""
MAX_ROLLBACKS = 5
"""Largest number of rollbacks in a run; after that, it stops."""


class NonFiniteLoss(RuntimeError):
    """A loss that became NaN or infinite; the message names the step and the loss term."""


class GoodWeights:
    """A copy of a module's weights at a finite loss, and the number of times that the run went back to one."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.step, self.count = -1, 0
        self.weights: dict[str, Tensor] = {}

    def store(self, module: nn.Module, step: int) -> None:
        """Takes the copy; checkpoints contain it, so that a resumed run goes back to the same weights."""
        self.step = step
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def go_back(self, module: nn.Module, optimizer: Optimizer, error: NonFiniteLoss) -> str:
        """Restores the weights and halves the step; returns a message. Raises NonFiniteLoss if that cannot help."""
        if not self.weights:
            raise error  # at the first evaluation of the loss, there are no weights to restore
        if self.count == MAX_ROLLBACKS:
            raise NonFiniteLoss(f"{error}, after going back {MAX_ROLLBACKS} times")
        self.count += 1
        module.load_state_dict(self.weights)
        forget(optimizer)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
        lr = optimizer.param_groups[0]["lr"]
        times = f"{self.count} of at most {MAX_ROLLBACKS} times"
        return f"{error}; back to the weights of step {self.step}, lr {lr:g} ({times})"

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "count": self.count, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step, self.count, self.weights = state["step"], state["count"], dict(state["weights"])


def make_good_weights(response: str) -> GoodWeights | None:
    """The copy of good weights that a response needs, None if it needs none. Raises ValueError for an unknown one."""
    rolls_back = lookup(NONFINITE_RESPONSES, response, "response to a loss that is not finite:")
    return GoodWeights() if rolls_back else None


def nonfinite_parameter(network: nn.Module, step: int) -> NonFiniteLoss | None:
    """The error for a parameter that is NaN or infinite; None if all are finite."""
    bad = next((name for name, p in network.named_parameters() if not torch.isfinite(p).all()), None)
    return NonFiniteLoss(f"parameter {bad!r} is not finite at step {step}") if bad else None
