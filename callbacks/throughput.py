"""`Throughput`: measures steps and points per second of training, without validation and figures, and memory.

`TimeShare` tells an observer, as statistics or figures, whether it may take time once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch

from mask_pinns.module import MaskPINN


class Throughput(L.Callback):
    """Logs throughput/steps_per_s, throughput/points_per_s and, on CUDA, throughput/memory_gb when losses are logged.

    A point counts each time that the loss is evaluated on it, so the evaluations of a line search count as well.
    `seconds` is the training time so far without compilation, `seconds_per_step` its mean over this session's steps.
    `wall_s` is the whole time from the start of training to its end, but without the time that the callbacks after
    this one need at the end.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import Throughput
        >>> throughput = Throughput()
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[throughput], enable_checkpointing=False)
        >>> throughput.steps
        0
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        self.points_per_s = 0.0
        self._batch_started = self._started = 0.0
        self._ended: float | None = None
        self._first_step = 0  # the global step at which this session began
        self._last_log = (0.0, 0)  # seconds and points at the last log
        self._compiled = 0.0  # seconds of compilation until the last step

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / max(1, self.steps)

    @property
    def wall_s(self) -> float:
        return (time.perf_counter() if self._ended is None else self._ended) - self._started

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MaskPINN)
        self.seconds, self.steps, self._ended = 0.0, 0, None
        self._first_step, self._started = trainer.global_step, time.perf_counter()
        self._last_log = 0.0, pl_module.stepper.points
        self._compiled = pl_module.stepper.compile_seconds

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._ended = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        self._batch_started = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any) -> None:
        assert isinstance(pl_module, MaskPINN)
        logs = pl_module.logs_now
        if logs and pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        compiling = pl_module.stepper.compile_seconds - self._compiled
        self._compiled += compiling
        self.seconds += time.perf_counter() - self._batch_started - compiling
        self.steps = trainer.global_step - self._first_step
        if logs:
            self._log(pl_module)

    def _log(self, module: MaskPINN) -> None:
        seconds = self.seconds - self._last_log[0]
        self.points_per_s = (module.stepper.points - self._last_log[1]) / seconds
        self._last_log = self.seconds, module.stepper.points
        values = {"points_per_s": self.points_per_s, "steps_per_s": 1 / self.seconds_per_step}
        if module.device.type == "cuda":
            values["memory_gb"] = torch.cuda.max_memory_allocated(module.device) / 1e9
        module.record({f"throughput/{name}": value for name, value in values.items()})


class TimeShare:
    """The time that an observer takes between the start of training and now; it may be limited to a share of it.

    Args:
        share: the largest share of the training time; None: no limit.

    Example:
        >>> from mask_pinns.callbacks.throughput import TimeShare
        >>> time = TimeShare(share=None)
        >>> with time.taken():
        ...     pass
        >>> time.affords_another
        True
    """

    def __init__(self, share: float | None) -> None:
        self.share = share
        self.begin()

    def begin(self) -> None:
        """Training begins, or goes on."""
        self.seconds, self.longest, self.begun = 0.0, 0.0, time.perf_counter()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Counts the time inside."""
        begun = time.perf_counter()
        yield
        seconds = time.perf_counter() - begun
        self.seconds, self.longest = self.seconds + seconds, max(self.longest, seconds)

    @property
    def affords_another(self) -> bool:
        """Whether one more look, as long as the longest so far, stays within the share."""
        elapsed = time.perf_counter() - self.begun
        return self.share is None or self.seconds + self.longest <= self.share * elapsed
