"""`TrialObserver`: reports the loss at fresh points while a trial trains, and ends it where that is decided."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.trainer.states import TrainerFn

from mask_pinns.module import MaskPINN

PRUNED, TIME_IS_OVER = "pruned", "max_time"
"""Reasons for the end of a training, as summary.json has them."""


class TrialObserver(L.Callback):
    """Reports the smallest loss at fresh points so far after each validation; ends the training if it is told so.

    Args:
        report: takes step and loss; returns whether the training ends.
        deadline: time of `time.monotonic` at which the training ends; None: never.

    Attributes:
        best: the smallest loss at fresh points so far.
    """

    def __init__(self, report: Callable[[int, float], bool], deadline: float | None = None) -> None:
        self.report, self.deadline = report, deadline
        self.best = math.inf

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        if trainer.state.fn != TrainerFn.FITTING:
            return
        loss = float(trainer.callback_metrics["val/loss"])
        self.best = min(self.best, loss) if math.isfinite(loss) else self.best
        if self.report(trainer.global_step, self.best) and not trainer.should_stop:
            pl_module.stop(PRUNED)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, MaskPINN)
        if self.deadline is not None and time.monotonic() > self.deadline:
            pl_module.stop(TIME_IS_OVER)
