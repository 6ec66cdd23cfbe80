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
    `seconds` is the training time so far (compiling not counted), `seconds_per_step` its mean over this session;
    `wall_s` is all the time from the start of training to its end, before callbacks behind this one draw and save.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        self.points_per_s = 0.0
        self._since = self._begun = 0.0
        self._ended: float | None = None
        self._first = 0  # the global step at which this session began
        self._mark = (0.0, 0)  # seconds and points at the last log

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / max(1, self.steps)

    @property
    def wall_s(self) -> float:
        return (time.perf_counter() if self._ended is None else self._ended) - self._begun

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._first, self._begun, self._ended = trainer.global_step, time.perf_counter(), None

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._ended = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        self._since = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any) -> None:
        assert isinstance(pl_module, MaskPINN)
        logs = pl_module.logs_now
        if logs and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        self.seconds += time.perf_counter() - self._since - (pl_module.compile_seconds if self.steps == 0 else 0.0)
        self.steps = trainer.global_step - self._first
        if logs:
            self._log(pl_module)

    def _log(self, module: MaskPINN) -> None:
        seconds = self.seconds - self._mark[0]
        self.points_per_s = (module.points - self._mark[1]) / seconds
        self._mark = self.seconds, module.points
        values = {"points_per_s": self.points_per_s, "steps_per_s": 1 / self.seconds_per_step}
        if module.device.type == "cuda":
            values["memory_gb"] = torch.cuda.max_memory_allocated(module.device) / 1e9
        module.record({f"throughput/{name}": value for name, value in values.items()})
