"""Trains one trial of a study, an ordinary run in trial-N of the study's folder, and says how it ended."""

from __future__ import annotations

import copy
import io
import math
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.cli.run import Run, build
from mask_pinns.cli.run_folder import Stopped
from mask_pinns.cli.training.fit import fit
from mask_pinns.cli.training.record import Record
from mask_pinns.cli.tuning.space import with_values
from mask_pinns.memory import is_out_of_memory
from mask_pinns.tuning.observer import PRUNED, TIME_IS_OVER, TrialObserver

OUTPUT = "output.txt"
"""What a trial has printed, in its folder."""


@dataclass(frozen=True)
class Ended:
    """How a trial has ended.

    Attributes:
        loss: its smallest loss at fresh points, of the worst window if there are windows; infinite if there is none.
        steps: steps that it took.
        seconds: time that it took.
        reason: why it failed; "" if it did not.
        code: exit code of its run: not 0 after a signal.
        pruned, cut: whether it was pruned, or ended because the time of the study is over.
    """

    loss: float
    steps: int
    seconds: float
    reason: str = ""
    code: int = 0
    pruned: bool = False
    cut: bool = False


class Output(io.StringIO):
    """Keeps what a run prints; what a handler of signals writes past the buffers of Python reaches the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._terminal: Any = sys.stdout

    def fileno(self) -> int:
        return int(self._terminal.fileno())


def trial_config(config: SimpleNamespace, settings: Mapping[str, Any], folder: Path, name: str) -> SimpleNamespace:
    """Returns the configuration of a trial: that of the study with its settings, its own folder and its steps.

    Nothing that begins another run follows, and no error against a known solution ends it.
    """
    changed = with_values(config, settings)
    changed.folder, changed.name, changed.resume = str(folder), name, None
    changed.steps = config.trial_steps or config.steps
    changed.on_stall, changed.explain, changed.dry_run, changed.target = "tell", False, False, None
    return changed


def run_trial(config: SimpleNamespace, observer: TrialObserver) -> Ended:
    """Trains a trial. Its output is kept in its folder; a failure that is its own becomes a reason."""
    begun, output, folder = time.monotonic(), Output(), Path(config.folder) / config.name
    run: Run | None = None
    code, reason = 0, ""
    try:
        with redirect_stdout(output):
            run = build(copy.deepcopy(config))
            run.observers.append(observer)
            code = fit(run)
    except (Stopped, ValueError, MisconfigurationException, RuntimeError) as error:
        if not _is_its_own(error):
            raise
        reason = "out of memory" if is_out_of_memory(error) else " ".join(str(error).split())
    finally:
        if folder.is_dir():
            with whole_file(folder / OUTPUT) as file:
                file.write(output.getvalue())
    steps, loss = run.module.global_step if run and run.module._trainer else 0, observer.best
    seconds, stop_reason = time.monotonic() - begun, run.module.stop_reason if run else ""
    if config.windows and not reason and not code:
        record = Record.read(folder, config.windows)
        steps, loss = sum(w.steps for w in record.windows), _worst(record)
    if not reason and not math.isfinite(loss) and stop_reason != TIME_IS_OVER and not code:
        reason = "the loss at fresh points is not finite"
    return Ended(loss, steps, seconds, reason, code, stop_reason == PRUNED, stop_reason == TIME_IS_OVER)


def _is_its_own(error: Exception) -> bool:
    """Whether a failure comes from the trial's settings; that of a disk stops every other trial too."""
    if isinstance(error.__cause__, OSError):
        return False
    return isinstance(error, Stopped | ValueError | MisconfigurationException) or is_out_of_memory(error)


def _worst(record: Record) -> float:
    losses = [math.inf if window.loss is None else window.loss for window in record.windows]
    return max(losses, default=math.inf)
