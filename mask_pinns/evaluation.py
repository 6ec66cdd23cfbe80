"""How a network in training is judged: the loss on validation points, errors on the evaluation grid, predictions."""

from __future__ import annotations

from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn

from mask_pinns.metrics import MaxError, RelativeL2
from mask_pinns.modes import evaluation_mode
from mask_pinns.objective import Objective
from mask_pinns.problems import Problem


class Evaluated(L.LightningModule):
    """A network with its problem and objective, as far as validation, test and prediction go."""

    problem: Problem
    network: nn.Module
    objective: Objective
    target: float | None
    stop_reason: str

    def __init__(self) -> None:
        super().__init__()
        self.rel_l2, self.max_error = RelativeL2(), MaxError()

    def forward(self, x: Tensor) -> Tensor:
        """The fields (N, F) at points (N, D)."""
        return self.network(x)

    def stop(self, reason: str) -> None:
        """Ends training after this step, for the reason given (it stands in summary.json)."""
        self.stop_reason = reason
        self.trainer.should_stop = True

    def _mean(self, x: Tensor) -> Tensor:
        """The mean of a tensor over the ranks."""
        mean: Tensor = self.trainer.strategy.reduce(x, reduce_op="mean")
        return mean

    def _over_ranks(self, loss: Tensor, terms: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss and terms without their graph, averaged over the ranks: every rank decides on the same numbers."""
        values = torch.stack([loss, *terms.values()]).detach()
        if self.trainer.world_size > 1:
            values = self._mean(values)
        return values[0], dict(zip(terms, values[1:], strict=True))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._evaluate(batch, "test")

    def _evaluate(self, batch: Any, stage: str) -> None:
        """A chunk (points, values) of the grid for the errors; point sets for the loss."""
        if isinstance(batch, dict):
            loss = self.objective.given_loss(self.network, batch)  # causal weights would make early losses small
            self.log(f"{stage}/loss", loss.detach(), sync_dist=True, batch_size=1)
            if not self.rel_l2.update_called:  # the grid comes before the points: nothing is known of the solution
                self._compare_to_target(self._over_ranks(loss, {})[0])
            if self.trainer.state.fn == TrainerFn.FITTING:
                self.log("step", float(self.global_step), batch_size=1)
            return
        x, values = batch
        predicted = self(x)
        self.rel_l2.update(predicted, values)
        self.max_error.update(predicted, values)

    def on_validation_epoch_end(self) -> None:
        self._log_errors("val")

    def on_test_epoch_end(self) -> None:
        self._log_errors("test")

    def _log_errors(self, stage: str) -> None:
        if self.rel_l2.update_called:
            errors = {f"{stage}/rel_l2": self.rel_l2.compute(), f"{stage}/max_error": self.max_error.compute()}
            self._compare_to_target(errors[f"{stage}/rel_l2"])
            self.log_dict(errors, sync_dist=True)  # equal on every rank already: the metrics have synchronized
        self.rel_l2.reset()
        self.max_error.reset()

    def _compare_to_target(self, value: Tensor) -> None:
        """Ends training where the relative L2 error, or the loss where no solution is known, is small enough."""
        if self.target is not None and self.trainer.state.fn == TrainerFn.FITTING and value <= self.target:
            self.stop("target")

    def predict_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self(batch)

    def predict(self, points: Tensor | np.ndarray) -> np.ndarray:
        """The fields (N, F) at any points (N, D), as an array, in evaluation mode: predicting changes nothing.

        Raises ValueError for another shape.
        """
        parameter = next(self.network.parameters())
        x = torch.as_tensor(points, dtype=parameter.dtype, device=parameter.device)
        names = self.problem.domain.names
        if x.ndim != 2 or x.shape[1] != len(names):
            raise ValueError(f"points have shape {tuple(x.shape)}; expected (N, {len(names)}): {', '.join(names)}")
        with torch.no_grad(), evaluation_mode(self.network):
            return self.network(x).cpu().numpy()
