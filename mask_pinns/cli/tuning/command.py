"""The command tune: trials one after the other, a line for each, and at the end the best settings as a command."""

from __future__ import annotations

import copy
import math
import shlex
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from mask_pinns.cli.checks import idle_flags
from mask_pinns.cli.configuration import save
from mask_pinns.cli.run import Run, explain, make_module
from mask_pinns.cli.run_folder import STUDY, Stopped, UsageError, find_study, locked, new_folder
from mask_pinns.cli.training.sequence import fresh_loss
from mask_pinns.cli.tuning.space import current, default_search, searched, with_values, written
from mask_pinns.cli.tuning.trial import Ended, run_trial, trial_config
from mask_pinns.tuning.observer import TrialObserver
from mask_pinns.tuning.page import write_page
from mask_pinns.tuning.search import Range, Space
from mask_pinns.tuning.study import Outcome, Study

OF_STUDY = ("search", "trials", "trial_steps")
"""Settings that the study's config.yaml has beside those of a run."""
BEST = "best.yaml"
SHOWN = 5
"""Number of trials in the table."""


def tune(run: Run, prog: str) -> int:
    """Searches the settings with the smallest loss at fresh points. Returns the exit code.

    Args:
        run: the parts of a run with the settings that the trials share.
        prog: how the command is called, for the commands that are printed.
    """
    config = run.config
    if run.ranks > 1:
        raise UsageError("tune trains one trial after the other in this process: leave out --devices and --num_nodes")
    if config.search is None:
        config.search = default_search(config, any(phase.method.decays for phase in run.module.schedule.phases))
    space = searched(config, config.search)
    steps = _checked_steps(run)
    _check_effects(run, space)
    _check_ends(config, space)
    console = Console(file=sys.stdout, markup=False, emoji=False)
    say = partial(console.print, highlight=False, soft_wrap=True)
    say(f"{run.module.problem.title}: {config.trials} trials of {steps:,} steps over {config.search}")
    for note in _notes(run):
        say(note)
    if config.explain or config.dry_run:
        explain(run)
    if config.dry_run:
        return 0
    folder = find_study(config.resume, Path(config.folder)) if config.resume else _new_folder(config)
    with locked(folder):
        save(config, folder / "config.yaml", OF_STUDY)
        first = {name: current(config, name) for name in space}
        study = Study(folder / STUDY, space, config.seed, 0 if config.windows else steps, first)
        try:
            return Tuning(run, study, folder, console, prog).go_on()
        except SQLAlchemyError as error:  # a full disk, for example
            reason = str(error).splitlines()[0]
            raise Stopped(f"{folder / STUDY}: {reason}; go on with tune --resume {folder}") from error
        finally:
            study.close()


def _checked_steps(run: Run) -> int:
    """The steps of a trial. Raises UsageError if none of them would be judged."""
    trial = copy.copy(run)
    trial.config = trial_config(run.config, {}, Path(), "")
    if (every := trial.every["validate"]) > trial.steps:
        raise UsageError(
            f"--validate_every {every} is more than the {trial.steps} steps of a trial, which is not judged"
        )
    return trial.steps


def _check_effects(run: Run, space: Space) -> None:
    """Raises UsageError for a setting without an effect, unless another one that is searched may give it one."""
    if {"network", "network.name", "optimizer", "mask", "fourier"} & space.keys():
        return
    typed = SimpleNamespace(**vars(run.config) | {"typed": [f"--{name}" for name in space]})
    for line in idle_flags("tune", typed, run.module):
        raise UsageError(f"--search: {line}")


def _check_ends(config: SimpleNamespace, space: Space) -> None:
    """Makes a network with each end of a range. Raises UsageError for one that the network refuses."""
    for name, values in space.items():
        for value in (values.low, values.high) if isinstance(values, Range) else values.values:
            try:
                make_module(with_values(config, {name: value}))
            except ValueError as error:
                raise UsageError(f"--search {name} {written(value)}: {error}") from None


def _notes(run: Run) -> list[str]:
    """What a user should know about this study before it begins."""
    config, notes = run.config, []
    if run.config.target and run.module.problem.evaluation().values is not None:
        notes.append("trials are not ended by --target, which is an error against the known solution")
    if config.windows:
        notes.append("trials in time windows are judged by their worst window, and not pruned")
    if config.tune_minutes and config.windows:
        notes.append("a trial in time windows that has begun is finished, also after --tune_minutes")
    return notes


def _new_folder(config: SimpleNamespace) -> Path:
    stem = Path(config.problem["name"].rpartition(":")[2]).stem
    named = copy.copy(config)
    named.name = config.name or f"{stem}-tune"
    return new_folder(named)


class Tuning:
    """The trials of a study, in its folder.

    Args:
        run: the parts of a run with the settings that the trials share.
        study: its trials.
        folder: its folder.
        console: where lines are printed.
        prog: how the command is called.
    """

    def __init__(self, run: Run, study: Study, folder: Path, console: Console, prog: str) -> None:
        self.config, self.problem = run.config, run.module.problem.title
        self.study, self.folder, self.console, self.prog = study, folder, console, prog
        self.reference = fresh_loss(run) or 1.0
        minutes = self.config.tune_minutes
        self.deadline = time.monotonic() + 60 * minutes if minutes else None

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def go_on(self) -> int:
        """Trains the trials that are left, and shows the study. Returns the exit code."""
        code = 0
        while not code and len(self.study.counted) < self.config.trials:
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.say(f"--tune_minutes {self.config.tune_minutes:g} are over")
                break
            begun = self.study.next()
            if begun is None:
                self.say("all settings that the search has, or that it proposes, were tried")
                break
            code = self._try(*begun)
        self._finish()
        return code or (0 if self.study.best else 1)

    def _try(self, trial: Any, settings: Mapping[str, Any]) -> int:
        """Trains a trial, and tells how it ended. Returns the exit code of a signal."""
        config = trial_config(self.config, settings, self.folder, f"trial-{trial.number}")
        deadline = None if self.config.windows else self.deadline
        observer = TrialObserver(partial(self._report, trial), deadline)
        with self.console.status(f"{config.name}: {in_words(settings)}"):
            ended = run_trial(config, observer)
        if ended.code or (ended.cut and not ended.reason):
            self.study.put_back(trial, "interrupted" if ended.code else "the time was over")
            self.say(f"{config.name}: {in_words(settings)}: interrupted; it is repeated when the study goes on")
            return ended.code
        self._keep(trial, ended)
        return 0

    def _report(self, trial: Any, step: int, loss: float) -> bool:
        """Reports the loss of a trial. Returns whether it is pruned."""
        trial.report(loss / self.reference, step)
        return self.study.prunes and bool(trial.should_prune())

    def _keep(self, trial: Any, ended: Ended) -> None:
        """Ends a trial in the study, prints its line, and writes best.yaml if it is the best one."""
        if ended.reason:
            self.study.fail(trial, ended.reason, ended.seconds)
        else:
            self.study.end(trial, ended.loss / self.reference, ended.pruned, ended.steps, ended.seconds)
        outcome, best = self.study.counted[-1], self.study.best
        count = f" ({len(self.study.counted)} of {self.config.trials})"
        note = ", the best so far" if best is not None and best.number == outcome.number else ""
        self.say(f"{outcome.name}{count}: {in_words(outcome.settings)}: {told(outcome)}{note}")
        if note:
            save(with_values(self.config, outcome.settings), self.folder / BEST)

    def _finish(self) -> None:
        """Writes the page, and prints the best trials and what can be done with them."""
        page = write_page(self.study, self.folder, self.problem)
        best = self.study.best
        if best is None:
            self.say(f"no trial has a loss yet; see {page}")
            return
        table = Table(title=f"{self.problem}: the best of {len(self.study.counted)} trials", title_style="")
        for column in ("trial", "loss", *self.study.space, "steps", "time"):
            table.add_column(column, overflow="fold")
        done = [outcome for outcome in self.study.counted if outcome.state == "done"]
        for o in sorted(done, key=lambda o: (o.loss or 0.0, o.number))[:SHOWN]:
            values = [shown(o.settings[name]) for name in self.study.space]
            table.add_row(o.name, f"{o.loss:.2e}", *values, f"{o.steps:,}", f"{o.seconds:.1f} s")
        self.console.print(table)
        for what, how in self._next(best, page):
            self.say(f"{what:<10} {how}")

    def _next(self, best: Outcome, page: Path) -> list[tuple[str, str]]:
        """What can be done now, each with its command."""
        folder, done = shlex.quote(str(self.folder)), len(self.study.counted)
        flags = " ".join(shlex.join([f"--{name}", written(value)]) for name, value in best.settings.items())
        rows = [("loss", "the smallest at fresh points, in parts of the one that the study's own settings start with")]
        rows.append(("train", f"{self.prog} --config {shlex.quote(str(self.folder / BEST))}"))
        if not {"network", "network.name"} & best.settings.keys():
            rows.append(("or", f"{self.prog} --config {shlex.quote(str(self.folder / 'config.yaml'))} {flags}"))
        rows += [("page", str(page)), ("watch", f"tensorboard --logdir {folder}")]
        url = shlex.quote(f"sqlite:///{self.folder / STUDY}")
        rows.append(("dashboard", f"optuna-dashboard {url}  (pip install optuna-dashboard)"))
        more = max(self.config.trials, done + 10 if done >= self.config.trials else 0)
        return [*rows, ("go on", f"{self.prog} tune --resume {folder} --trials {more}")]


def shown(value: Any) -> str:
    """A value for a line or a table."""
    return f"{value:.4g}" if isinstance(value, float) else written(value)


def in_words(settings: Mapping[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{name} {shown(value)}" for name, value in settings.items())


def told(outcome: Outcome) -> str:
    """How a trial has ended, in a line."""
    if outcome.loss is None or not math.isfinite(outcome.loss):
        return f"failed: {outcome.reason}"
    when = f"pruned at step {outcome.steps:,}, " if outcome.state == "pruned" else ""
    return f"{when}loss {outcome.loss:.2e}, {outcome.seconds:.1f} s"
