"""The parts of a run, made from a checked configuration, and what commands do with them; fit.py has the command fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from rich.console import Console

from mask_pinns import callbacks
from mask_pinns.cli.configuration import save
from mask_pinns.cli.failures import answer
from mask_pinns.cli.plan import notes, plan_table, require_training_memory
from mask_pinns.cli.trainer import (
    INTERVALS,
    OBSERVER_SHARE,
    PRECISIONS,
    burst,
    intervals,
    make_loggers,
    make_trainer,
)
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.module import MaskPINN
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.determinacy import check_dependence, require_independent_points
from mask_pinns.registry import lookup
from mask_pinns.settings import (
    Constraints,
    LossSettings,
    MachineSettings,
    RunSettings,
    Sampling,
    TrainingSettings,
    WindowSettings,
    options,
    pick,
)

DEFAULT_STEPS = 10_000
"""The steps of a run without --steps if a phase has no number of steps."""
COMPARED_SETTINGS = (
    Constraints, TrainingSettings, LossSettings, WindowSettings, Sampling, RunSettings, MachineSettings
)  # fmt: skip
"""Classes of settings. Runs are compared by those of their fields that determine the training."""


@dataclass
class Run:
    """Holds the parts that a command needs; `observers` are callbacks beside those of every run."""

    config: SimpleNamespace
    module: MaskPINN
    data: PointsDataModule
    console: Console
    ranks: int
    observers: list[L.Callback] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """The total number of steps: --steps, else the sum over the phases, else 10,000."""
        lengths = [phase.steps for phase in self.module.schedule.phases]
        return self.config.steps or (DEFAULT_STEPS if None in lengths else sum(n for n in lengths if n))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights, except in a phase with its own precision."""
        precision = lookup(PRECISIONS, str(self.config.precision), "precision")
        return torch.float64 if precision == "64-true" else torch.float32

    @property
    def every(self) -> dict[str, int]:
        """The steps between logged losses, validations, recordings of the features, and figures, by name."""
        return intervals({name: getattr(self.config, f"{name}_every") for name in INTERVALS}, self.steps)

    def prepare(self) -> None:
        """Before training: sets the steps per batch of Lightning's loop, and between logged losses."""
        self.data.burst, self.module.log_every = burst(self.config.burst, self.every), self.every["log"]


def make_module(
    config: SimpleNamespace, problem: Problem | None = None, windows: Sequence[float] = (), number: int = 0
) -> MaskPINN:
    """Makes the module that a configuration describes.

    Args:
        config: the configuration.
        problem: the problem in place of that of the configuration.
        windows: ends of time windows, for a solution that was trained in windows.
        number: of the window that is trained, from 0: each has other random weights.
    """
    L.seed_everything((config.seed + number) % 2**32, verbose=False)
    given = vars(config)
    return MaskPINN(
        problem or config.problem,
        config.network,
        constraints=pick(Constraints, given),
        loss=pick(LossSettings, given),
        training=pick(TrainingSettings, given),
        windows=windows,
    )


def build(config: SimpleNamespace, problem: Problem | None = None, number: int = 0) -> Run:
    """Makes problem, network, objective and points, and tests them on a few points, so that mistakes are found here.

    problem, number: of a time window, see `make_module`.
    """
    torch.set_float32_matmul_precision(config.matmul_precision)
    module = make_module(config, problem, number=number)
    module.schedule.check_precision(lookup(PRECISIONS, str(config.precision), "precision"))
    data = PointsDataModule(module.problem, pick(Sampling, vars(config)), hard=module.objective.hard)
    module.check()
    module.problem.evaluation()
    trainer = make_trainer(config, logger=False)
    run = Run(
        config,
        module,
        data,
        Console(quiet=bool(getattr(rank_zero_only, "rank", 0)), markup=False, emoji=False),
        trainer.world_size,
    )
    check_problem(module, data, run.ranks)
    require_training_memory(module, data.counts, run.ranks, trainer.strategy.root_device)
    make_callbacks(run, Path(config.folder))
    return run


def check_problem(module: MaskPINN, data: PointsDataModule, ranks: int) -> None:
    """Raises ValueError for a field that no residual contains, and for points that influence each other where adaptive
    sampling, or sharing them over processes, assumes that they do not.
    """
    check_dependence(module.problem)
    if data.adaptive:
        require_independent_points(module.problem, [module.problem.equation], "adaptive sampling")
    if ranks > 1:
        require_independent_points(module.problem, module.objective.terms, "training on several processes")


def make_callbacks(run: Run, folder: Path) -> tuple[callbacks.RunSummary, list[L.Callback]]:
    """Makes the callbacks of a run. Returns the summary, and all of them in the order in which they are called."""
    config, throughput = run.config, callbacks.Throughput()
    statistics = callbacks.FeatureStatistics(
        run.every["statistics"],
        config.statistics_probes,
        config.statistics_record,
        share=None if config.statistics_every else OBSERVER_SHARE,
        folder=folder,
        console=run.console,
    )
    untrained = not config.start_from
    alarms = callbacks.TrainingAlarms(run.console, stops=config.on_stall == "retry", judges_end=untrained)
    summary = callbacks.RunSummary(folder, throughput, config.seed, run.console, statistics, alarms)
    return summary, [
        throughput,
        callbacks.Progress(throughput, console=run.console),
        alarms,
        *([callbacks.Patience(config.patience)] if config.patience else []),
        statistics,
        callbacks.SolutionFigures(folder, run.every["figures"], None if config.figures_every else OBSERVER_SHARE),
        callbacks.best_checkpoint(folder / "checkpoints"),
        callbacks.LastCheckpoint(folder / "checkpoints", run.every["validate"]),
        summary,
        callbacks.Hyperparameters(compared_settings(config), summary),
    ]


def compared_settings(config: SimpleNamespace) -> dict[str, Any]:
    """Returns the settings that determine the training, for the comparison of runs."""
    decisive = [option.name for cls in COMPARED_SETTINGS for option in options(cls) if option.decides]
    return {name: getattr(config, name) for name in ("problem", "network", "embedding", *decisive)}


def train(
    run: Run,
    folder: Path,
    checkpoint: Path | None = None,
    done: int = 0,
    more: Iterable[L.Callback] = (),
    window: str = "",
) -> int:
    """Trains in a locked folder, from the checkpoint after `done` steps if there is one. Returns the exit code.

    Args:
        run: the parts of the run.
        folder: its folder.
        checkpoint: the checkpoint to go on from.
        done: number of its steps.
        more: callbacks of this session, beside those of every run.
        window: title of a time window, which is announced in one line and has no table.
    """
    summary, observers = make_callbacks(run, folder)
    run.module.schedule.bounded = run.config.steps is None  # with a larger --steps, the last phase is longer
    stopper = callbacks.StopOnSignal(run.config.trainer.get("max_time"))
    more = [callbacks.ChildrenObserverOff(), *more, *run.observers]
    trainer = make_fit_trainer(run, folder, done, [*more, *observers, stopper])
    if window:
        run.console.print(window, highlight=False)
    else:
        announce(run, folder, trainer.world_size)
    try:
        if trainer.is_global_zero:
            save(run.config, folder / "config.yaml")
        trainer.fit(run.module, run.data, ckpt_path=checkpoint, weights_only=True)
    except Exception as error:
        told = answer(error, run, trainer, folder, None if summary.started else checkpoint)
        if told is error:
            raise
        raise told from error
    finally:
        if trainer.is_global_zero and summary.result and not window:
            summary.show()
    return 128 + stopper.received if stopper.received else 0


def make_fit_trainer(run: Run, folder: Path, done: int, observers: list[L.Callback]) -> L.Trainer:
    """Makes the Trainer of a session that begins after `done` steps."""
    return make_trainer(
        run.config,
        max_time=None,  # the stopper's: Lightning's timer would count the time of earlier sessions as well
        default_root_dir=folder,
        max_steps=run.steps,
        max_epochs=-1,
        min_epochs=0,
        val_check_interval=run.every["validate"] // run.data.burst,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        plugins=(callbacks.WholeFiles(),),
        logger=make_loggers(folder, done),
        callbacks=observers,
    )


def announce(run: Run, folder: Path, ranks: int) -> None:
    """Prints what is trained, and what a user should know before."""
    run.console.print(f"{run.module.problem.title}: {run.steps:,} steps, run folder {folder}", highlight=False)
    begins = [f"begins with the weights of {run.config.start_from}"] if run.config.start_from else []
    for note in (*begins, *notes(run.module)):
        run.console.print(note, highlight=False, soft_wrap=True, markup=False)
    if uneven := run.data.uneven(ranks):
        run.console.print(f"points of {uneven} do not divide by {ranks} processes: rounded up")


def explain(run: Run, windows: list[float] | None = None) -> None:
    """Prints the plan of the training, with an estimate of the time of a step on this machine.

    windows: the ends of the time windows of which this training is the first.
    """
    trainer = make_trainer(run.config, logger=False)
    if not trainer.is_global_zero:
        return
    device = trainer.strategy.root_device
    trainer.strategy.precision_plugin.convert_module(run.module)
    run.module.to(device)
    dtype = next(run.module.network.parameters()).dtype
    points = run.data.draw(0, 0, trainer.world_size, device, dtype)
    run.console.print(plan_table(run.module, points, run.steps, windows))
