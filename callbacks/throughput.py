"""`Throughput`: steps and points per second of training alone (validation and pictures not counted), and memory."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
import torch

from mask_pinns import MaskPINN


class Throughput(L.Callback):
    """Logs throughput/steps_per_s, throughput/points_per_s and, on CUDA, throughput/memory_gb, where the trainer logs.

    A point is counted each time the loss is evaluated on it, so that a line search counts as the work it is.
    `seconds` is the training time so far (compiling not counted), `seconds_per_step` its mean over this session.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        self.points_per_s = 0.0
        self._since = 0.0
        self._mark = (0.0, 0)  # seconds and evaluations at the last log

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / max(1, self.steps)

    def on_train_batch_start(self, *_: Any) -> None:
        self._since = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any) -> None:
        assert isinstance(pl_module, MaskPINN)
        logs = trainer.global_step % trainer.log_every_n_steps == 0
        if logs and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self.seconds += time.perf_counter() - self._since - (pl_module.compile_seconds if self.steps == 0 else 0.0)
        self.steps += 1
        if logs:
            self._log(pl_module, sum(map(len, batch.values())))

    def _log(self, module: MaskPINN, points: int) -> None:
        seconds = self.seconds - self._mark[0]
        self.points_per_s = (module.evaluations - self._mark[1]) * points / seconds
        self._mark = self.seconds, module.evaluations
        module.log("throughput/points_per_s", self.points_per_s)
        module.log("throughput/steps_per_s", 1 / self.seconds_per_step)
        if module.device.type == "cuda":
            module.log("throughput/memory_gb", torch.cuda.max_memory_allocated(module.device) / 1e9)
