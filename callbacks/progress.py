"""`Progress`: step, loss, relative L2, points per second and time left; a live bar in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)

from callbacks.throughput import Throughput
from mask_pinns import MaskPINN


class Progress(L.Callback):
    """Shows how training goes.

    Args:
        throughput: where points per second come from.
        seconds: between looks at the loss (a look makes an accelerator wait) in a terminal; elsewhere a line is
            printed twenty times as seldom.
        console: where to show it.
    """

    def __init__(self, throughput: Throughput, seconds: float = 0.5, console: Console | None = None) -> None:
        self.throughput = throughput
        self.console = console or Console()
        self.seconds = seconds if self.console.is_terminal else 20 * seconds
        self.bar: Bar | None = None
        self._last = 0.0
        self._mark = (0, 0.0)  # step and time of the last line

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self._mark = trainer.global_step, time.perf_counter()
        self._last = time.perf_counter()
        if self.console.is_terminal:
            self.bar = Bar(
                BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), console=self.console,
            )  # fmt: skip
            self.bar.start()
            self.bar.add_task("", total=trainer.max_steps, completed=trainer.global_step)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        now = time.perf_counter()
        if trainer.is_global_zero and (now - self._last > self.seconds or trainer.global_step == trainer.max_steps):
            self._last = now
            self._show(trainer, pl_module, now)

    def _show(self, trainer: L.Trainer, module: Any, now: float) -> None:
        assert isinstance(module, MaskPINN)
        text = self.describe(trainer, module)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=trainer.global_step, description=text)
            return
        line = f"step {trainer.global_step}/{trainer.max_steps}  {text}  left {self._left(trainer, now):.0f} s"
        self.console.print(line, highlight=False, soft_wrap=True)

    def _left(self, trainer: L.Trainer, now: float) -> float:
        """Seconds to go at the speed since the last line (a new phase has a speed of its own)."""
        step, since = self._mark
        self._mark = trainer.global_step, now
        return (now - since) / max(1, trainer.global_step - step) * (trainer.max_steps - trainer.global_step)

    def describe(self, trainer: L.Trainer, module: MaskPINN) -> str:
        """Phase, loss, relative L2 if known, points per second."""
        parts = [module.schedule.phase.optimizer, f"loss {float(module.last_loss):.3e}"]
        if "val/rel_l2" in trainer.callback_metrics:
            parts.append(f"rel L2 {float(trainer.callback_metrics['val/rel_l2']):.3e}")
        if self.throughput.points_per_s:
            parts.append(f"{self.throughput.points_per_s:,.0f} points/s")
        return "  ".join(parts)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
