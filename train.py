"""Train a Mask-PINN from the command line: `python train.py --help`.

The composition root: it puts problem, network, points, callbacks and trainer together, and runs one command.
Exit codes: 0 done, 1 stopped (the loss became NaN or infinite, the disk is full, another process is gone), 2 what was
typed cannot be run; interrupted, and saved: 130 by Ctrl-C, 143 by SIGTERM, 138 by SIGUSR1.
"""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from rich.console import Console
from rich.table import Table

import callbacks
from callbacks.run_folder import Stopped, claimed, new_folder, stopped
from datamodules import PointsDataModule
from mask_pinns import MaskPINN, NonFiniteLoss
from mask_pinns.checkpoint import check_checkpoint, check_resume, not_loaded
from mask_pinns.command_line import read
from mask_pinns.configuration import UsageError, find_checkpoint, load_yaml, run_folder, save
from mask_pinns.identity import changes
from mask_pinns.intervals import INTERVALS, STATISTICS_SHARE, burst, intervals
from mask_pinns.machine import PRECISIONS, lost_process, make_trainer
from mask_pinns.modes import evaluation_mode
from mask_pinns.plan import plan, require_room
from mask_pinns.points_file import read_points
from mask_pinns.problems.blame import ProblemFailed
from mask_pinns.registry import lookup


@dataclass
class Run:
    """Everything that a command needs, built but not begun."""

    config: SimpleNamespace
    module: MaskPINN
    data: PointsDataModule
    console: Console

    @property
    def steps(self) -> int:
        """Steps in all: --steps, else the sum of the phases', else 10,000."""
        lengths = [phase.steps for phase in self.module.schedule.phases]
        return self.config.steps or (10_000 if None in lengths else sum(n for n in lengths if n))

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, but in a phase that has a precision of its own."""
        precision = lookup(PRECISIONS, str(self.config.precision), "precision")
        return torch.float64 if precision == "64-true" else torch.float32

    @property
    def every(self) -> dict[str, int]:
        """Steps between logged losses, validations, looks at the statistics and figures."""
        return intervals({name: getattr(self.config, f"{name}_every") for name in INTERVALS}, self.steps)


def build(config: SimpleNamespace) -> Run:
    """Problem, network, objective and points, all tried once on a few points: mistakes show here."""
    L.seed_everything(config.seed, verbose=False)
    torch.set_float32_matmul_precision(config.matmul_precision)
    module = MaskPINN(
        problem=config.problem,
        network=config.network,
        optimizer=config.optimizer,
        lr=config.lr,
        decay=config.decay,
        decay_every=config.decay_every,
        weights=config.weights,
        derivatives=config.derivatives,
        compile=config.compile,
        target=config.target,
        embedding=config.embedding,
        exact=config.exact,
        exact_time=config.exact_time,
        symmetry=config.symmetry,
        causal=config.causal,
        balance=config.balance,
        on_nonfinite=config.on_nonfinite,
    )
    held = module.objective.exact
    data = PointsDataModule(
        module.problem,
        config.points,
        config.sampler,
        config.resample,
        config.seed,
        exact=held,
        adaptive=config.adaptive,
        over_ranks=config.points_over_ranks,
    )
    module.objective.check(module.network, module.objective.few_points(next(module.network.parameters())))
    module.problem.evaluation()
    run = Run(config, module, data, Console(quiet=bool(getattr(rank_zero_only, "rank", 0))))
    trainer = make_trainer(config, logger=False)
    require_room(module, data.counts, trainer.world_size, trainer.strategy.root_device)
    make_callbacks(run, Path(config.folder))
    return run


def make_callbacks(run: Run, folder: Path) -> tuple[callbacks.RunSummary, list[L.Callback]]:
    """What watches a run and writes into its folder, in the order in which they are called; the summary by itself."""
    config, throughput = run.config, callbacks.Throughput()
    statistics = callbacks.FeatureStatistics(
        run.every["statistics"],
        config.statistics_probes,
        config.statistics_record,
        share=None if config.statistics_every else STATISTICS_SHARE,
        folder=folder,
        console=run.console,
    )
    summary = callbacks.RunSummary(folder, throughput, config.seed, run.console, statistics)
    return summary, [
        throughput,
        callbacks.Progress(throughput, console=run.console),
        statistics,
        callbacks.SolutionFigures(folder, run.every["figures"]),
        callbacks.best_checkpoint(folder / "checkpoints"),
        callbacks.LastCheckpoint(folder / "checkpoints", run.every["validate"]),
        summary,
        callbacks.Hyperparameters(vars(config), summary),
    ]


def fit(run: Run) -> int:
    """Trains, from the start or on from a checkpoint; leaves the run folder and prints a short table."""
    config = run.config
    if config.ckpt_path:
        raise UsageError("--ckpt_path is for validate, test and predict; to go on training: --resume")
    if config.resume and config.name:
        raise UsageError(f"--name {config.name} is for a new run; one that is resumed keeps its folder: leave it out")
    checkpoint = find_checkpoint(config.resume, Path(config.folder)) if config.resume else None
    with ExitStack() as claims:
        if checkpoint:
            folder = claims.enter_context(claimed(run_folder(checkpoint)))
        done = going_on(run, checkpoint) if checkpoint else 0
        if done >= run.steps:
            raise UsageError(f"{checkpoint} has had {done} steps already; go on with a larger --steps")
        run.data.burst, run.module.log_every = burst(run.config.burst, run.every), run.every["log"]
        if config.explain or config.dry_run:
            explain(run)
        if config.dry_run:
            return 0
        if not checkpoint:
            folder = claims.enter_context(claimed(new_folder(config)))
        return train(run, folder, checkpoint, done)


def going_on(run: Run, checkpoint: Path) -> int:
    """The steps that the checkpoint has had. Says which settings are others from here on than they were before."""
    content, own = check_resume(checkpoint, run.module, run.dtype), run_folder(checkpoint) / "config.yaml"
    before = content.get("hyper_parameters", {}) | (load_yaml(own) if own.is_file() else {})
    if changed := changes(before, vars(run.config)):
        run.console.print(f"from here on: {changed}", highlight=False, soft_wrap=True)
    return int(content["global_step"])


def train(run: Run, folder: Path, checkpoint: Path | None, done: int) -> int:
    """Trains in a folder that is claimed, after `done` steps if there is a checkpoint to go on from."""
    summary, watchers = make_callbacks(run, folder)
    run.module.schedule.bounded = run.config.steps is None  # a larger --steps lengthens the last phase
    stopper = callbacks.StopOnSignal()
    trainer = make_trainer(
        run.config,
        default_root_dir=folder,
        max_steps=run.steps,
        max_epochs=-1,
        min_epochs=0,
        val_check_interval=run.every["validate"] // run.data.burst,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        plugins=(callbacks.WholeFiles(),),
        logger=make_loggers(folder, done),
        callbacks=[*watchers, stopper],
    )
    run.console.print(f"{run.module.problem.title}: {run.steps:,} steps, run folder {folder}", highlight=False)
    if uneven := run.data.uneven(trainer.world_size):
        run.console.print(f"points of {uneven} do not divide by {trainer.world_size} processes: rounded up")
    try:
        if trainer.is_global_zero:
            save(run.config, folder / "config.yaml")
        trainer.fit(run.module, run.data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:  # Lightning's answer to a second signal
        return 128 + (stopper.received or signal.SIGINT)
    except (OSError, NonFiniteLoss, ProblemFailed) as error:
        raise stopped(error, folder) from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if lost_process(error, trainer):
            what = str(error).strip().splitlines()[0]
            raise Stopped(f"another process of this run is gone ({what}); go on with --resume {folder}") from error
        if checkpoint is None or summary.started:
            raise
        raise not_loaded(checkpoint, run.module, run.dtype, error) from error
    finally:
        if trainer.is_global_zero and summary.result:
            summary.show()
    return 128 + stopper.received if run.module.stop_reason == "interrupted" else 0


def make_loggers(folder: Path, done: int) -> list[Any]:
    """TensorBoard's events and metrics.csv; on resume, what was logged after the checkpoint's step is taken back."""
    purge = done + 1 if done else None
    board = TensorBoardLogger(folder.parent, folder.name, version="", default_hp_metric=False, purge_step=purge)
    return [board, callbacks.MetricsFile(folder, resume_at=done)]


def explain(run: Run) -> None:
    """Prints the plan: what will be trained on what, and about how long a step takes here."""
    trainer = make_trainer(run.config, logger=False)
    if not trainer.is_global_zero:
        return
    module = run.module
    device = trainer.strategy.root_device
    trainer.strategy.precision_plugin.convert_module(module)
    module.to(device)
    dtype = next(module.network.parameters()).dtype
    table = Table(show_header=False, title=f"{module.problem.title}: the plan")
    with evaluation_mode(module):
        for what, text in plan(module, run.data.draw(0, 0, trainer.world_size, device, dtype), run.steps):
            table.add_row(what, text)
    run.console.print(table)


def evaluate(run: Run, stage: str) -> int:
    """Prints loss and errors of a checkpoint (the best one of a run folder)."""
    load_chosen(run)
    results = getattr(make_trainer(run.config, logger=False), stage)(run.module, run.data, verbose=False)
    for name, value in results[0].items():
        run.console.print(f"{name}  {value:.6e}", highlight=False)
    return 0


def predict(run: Run) -> int:
    """Writes prediction.npz beside the run's checkpoints: points (N, D) and values (N, F)."""
    file = run.config.predict_points
    points = (
        read_points(file, run.module.problem.domain.names) if file else run.module.problem.evaluation().points.numpy()
    )
    checkpoint = load_chosen(run)
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    np.savez(folder / "prediction.npz", points=points, values=run.module.predict(points))
    run.console.print(f"{len(points):,} points written to {folder / 'prediction.npz'}", highlight=False)
    return 0


def load_chosen(run: Run) -> Path:
    """Loads the checkpoint that --ckpt_path means into the module, in the dtype in which it was trained."""
    if run.config.resume or not run.config.ckpt_path:
        raise UsageError("say which run: --ckpt_path last, a run folder, or a checkpoint file")
    checkpoint = find_checkpoint(run.config.ckpt_path, Path(run.config.folder), "best.ckpt")
    content = check_checkpoint(checkpoint, run.module, run.dtype)
    run.module.on_load_checkpoint(content)
    run.module.load_state_dict(content["state_dict"])
    return checkpoint


def _quiet() -> None:
    """Silences what Lightning says about things that are meant to be so here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message="The dirpath has changed from")


def main(argv: list[str] | None = None) -> int:
    """Runs one command; what cannot be run is answered in one line."""
    _quiet()
    try:
        command, config = read(sys.argv[1:] if argv is None else argv)
        run = build(config)
        if command == "fit":
            return fit(run)
        return predict(run) if command == "predict" else evaluate(run, command)
    except Stopped as error:
        print(f"stopped: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, MisconfigurationException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
