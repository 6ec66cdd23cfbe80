"""`Progress`: shows step, loss, relative L2 error, points per second and remaining time, as a bar or as lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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

from mask_pinns.callbacks.throughput import Throughput
from mask_pinns.module import MaskPINN


class Progress(L.Callback):
    """Shows the progress of training: a live bar in a terminal, lines of text elsewhere.

    Args:
        throughput: the callback that measures the points per second.
        seconds: the time between two updates of the bar; each reads the loss, for which an accelerator has to wait.
            Lines are printed every 20 * `seconds`.
        console: the console on which the progress is shown; standard output if not given.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import Progress, Throughput
        >>> throughput = Throughput()
        >>> callbacks = [throughput, Progress(throughput, seconds=2.0)]
        >>> trainer = L.Trainer(max_steps=1000, callbacks=callbacks, enable_progress_bar=False, logger=False)
    """

    def __init__(self, throughput: Throughput, seconds: float = 0.5, console: Console | None = None) -> None:
        self.throughput = throughput
        self.console = console or Console()
        self.seconds = seconds if self.console.is_terminal else 20 * seconds
        self.bar: Bar | None = None
        self._last_update = 0.0
        self._last_line = (0, 0.0)  # step and time of the last line

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self._last_line = trainer.global_step, time.perf_counter()
        self._last_update = time.perf_counter()
        if self.console.is_terminal:
            self.bar = Bar(
                BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), console=self.console,
            )  # fmt: skip
            self.bar.start()
            self.bar.add_task("", total=trainer.max_steps, completed=trainer.global_step)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        now = time.perf_counter()
        due = now - self._last_update > self.seconds or trainer.global_step == trainer.max_steps
        if trainer.is_global_zero and due:
            self._last_update = now
            self._show(trainer, pl_module, now)

    def _show(self, trainer: L.Trainer, module: Any, now: float) -> None:
        assert isinstance(module, MaskPINN)
        text = self.describe(trainer, module)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=trainer.global_step, description=text)
            return
        line = f"step {trainer.global_step}/{trainer.max_steps}  {text}  left {self._seconds_left(trainer, now):.0f} s"
        self.console.print(line, highlight=False, soft_wrap=True)

    def _seconds_left(self, trainer: L.Trainer, now: float) -> float:
        """Estimates the remaining seconds from the speed since the last line: phases differ in their speed."""
        step, since = self._last_line
        self._last_line = trainer.global_step, now
        return (now - since) / max(1, trainer.global_step - step) * (trainer.max_steps - trainer.global_step)

    def describe(self, trainer: L.Trainer, module: MaskPINN) -> str:
        """Returns phase, loss, its value at fresh points, the largest relative L2 error if it is known, and of which
        field it is, and points per second.

        The values of the latest validation say at which step it was if it is not this one.
        """
        parts = [module.schedule.phase.optimizer, f"loss {float(module.stepper.last_loss):.3e}"]
        when = "" if module.validated_at == trainer.global_step else f" (step {module.validated_at})"
        metrics = trainer.callback_metrics
        for name, label in (("val/loss", "fresh"), ("val/rel_l2", "rel L2")):
            if name in metrics:
                of = "" if name == "val/loss" else worst_field(metrics, module.problem.fields)
                parts.append(f"{label} {float(metrics[name]):.3e}{of}{when}")
        if self.throughput.points_per_s:
            parts.append(f"{self.throughput.points_per_s:,.0f} points/s")
        return "  ".join(parts)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def worst_field(metrics: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Returns the field with the largest relative L2 error, in words; "" if there is one field."""
    errors = {f: float(metrics[name]) for f in fields if (name := f"val/rel_l2/{f}") in metrics}
    return f" of {max(errors, key=errors.__getitem__)}" if errors else ""
