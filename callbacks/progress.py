"""`Progress`: shows step, loss, relative L2 error, points per second and remaining time, as a bar or as lines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import lightning as L
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from mask_pinns.callbacks.throughput import Throughput
from mask_pinns.module import MaskPINN

PARTS = ("bar", "step", "optimizer", "loss", "fresh", "rel L2", "unknowns", "points/s", "elapsed", "left")
"""The parts of the progress line, from left to right."""
BY_IMPORTANCE = ("step", "left", "loss", "unknowns", "rel L2", "bar", "optimizer", "fresh", "points/s", "elapsed")
"""The same parts, in the order in which they are chosen where a terminal has no room for all."""


class TimeLeft(TimeRemainingColumn):
    """The time left, with a word before it: the elapsed time is written in the same way."""

    def render(self, task: Task) -> Text:
        return Text("left ") + super().render(task)


class FittingBar(Bar):
    """A live bar of one line, with the most important of its parts that the terminal has room for."""

    def __init__(self, console: Console) -> None:
        of_their_own: dict[str, ProgressColumn] = {
            "bar": BarColumn(20), "step": MofNCompleteColumn(), "elapsed": TimeElapsedColumn(), "left": TimeLeft(),
        }  # fmt: skip
        self.parts = {name: of_their_own.get(name) or TextColumn(f"{{task.fields[{name}]}}") for name in PARTS}
        super().__init__(*self.parts.values(), console=console)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """The line for the terminal as wide as it is now."""
        tasks = list(tasks)
        chosen = self.fitting(tasks[0]) if tasks else set()
        self.columns = tuple(column for name, column in self.parts.items() if name in chosen)
        return super().make_tasks_table(tasks)

    def fitting(self, task: Task) -> set[str]:
        """The parts that there is room for, with a space between two of them; the step in any case."""
        chosen, room = {"step"}, self.console.width
        for name in BY_IMPORTANCE:
            width = Measurement.get(self.console, self.console.options, self.parts[name](task)).maximum
            if 0 < width <= room:
                chosen.add(name)
                room -= width + 1
        return chosen


class Progress(L.Callback):
    """Shows the progress of training: a live bar in a terminal, lines of text elsewhere.

    A narrow terminal shows fewer parts; step and time left are the last ones to go.

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
        self.console = console or Console(markup=False, emoji=False)
        self.seconds = seconds if self.console.is_terminal else 20 * seconds
        self.bar: FittingBar | None = None
        self._last_update = 0.0
        self._last_line = (0, 0.0)  # step and time of the last line

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self._last_line = trainer.global_step, time.perf_counter()
        self._last_update = time.perf_counter()
        if self.console.is_terminal:
            self.bar = FittingBar(self.console)
            self.bar.start()
            nothing: dict[str, Any] = dict.fromkeys(PARTS, "")
            self.bar.add_task("", total=trainer.max_steps, completed=trainer.global_step, **nothing)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        now = time.perf_counter()
        due = now - self._last_update > self.seconds or trainer.global_step == trainer.max_steps
        if trainer.is_global_zero and due:
            self._last_update = now
            self._show(trainer, pl_module, now)

    def _show(self, trainer: L.Trainer, module: Any, now: float) -> None:
        assert isinstance(module, MaskPINN)
        parts = self.describe(trainer, module)
        if self.bar is not None:
            values: dict[str, Any] = parts
            self.bar.update(self.bar.task_ids[0], completed=trainer.global_step, **values)
            return
        text = "  ".join(parts[name] for name in PARTS if name in parts)
        line = f"step {trainer.global_step}/{trainer.max_steps}  {text}  left {self._seconds_left(trainer, now):.0f} s"
        self.console.print(line, highlight=False, soft_wrap=True)

    def _seconds_left(self, trainer: L.Trainer, now: float) -> float:
        """Estimates the remaining seconds from the speed since the last line: phases differ in their speed."""
        step, since = self._last_line
        self._last_line = trainer.global_step, now
        return (now - since) / max(1, trainer.global_step - step) * (trainer.max_steps - trainer.global_step)

    def describe(self, trainer: L.Trainer, module: MaskPINN) -> dict[str, str]:
        """Returns phase, loss, its value at fresh points, the largest relative L2 error if it is known, and of which
        field it is, unknown numbers, and points per second, each under its name in PARTS.

        The values of the latest validation say at which step it was if it is not this one.
        """
        parts = {"optimizer": module.schedule.phase.optimizer, "loss": f"loss {float(module.stepper.last_loss):.3e}"}
        when = "" if module.validated_at == trainer.global_step else f" (step {module.validated_at})"
        metrics = trainer.callback_metrics
        for name, label in (("val/loss", "fresh"), ("val/rel_l2", "rel L2")):
            if name in metrics:
                of = "" if name == "val/loss" else worst_field(metrics, module.problem.fields)
                parts[label] = f"{label} {float(metrics[name]):.3e}{of}{when}"
        if module.unknowns:
            parts["unknowns"] = "  ".join(f"{name} {value:.6g}" for name, value in module.unknowns.items())
        if self.throughput.points_per_s:
            parts["points/s"] = f"{self.throughput.points_per_s:,.0f} points/s"
        return parts

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def worst_field(metrics: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Returns the field with the largest relative L2 error, in words; "" if there is one field."""
    errors = {f: float(metrics[name]) for f in fields if (name := f"val/rel_l2/{f}") in metrics}
    return f" of {max(errors, key=errors.__getitem__)}" if errors else ""
