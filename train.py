"""Train a Mask-PINN from the command line: `python train.py --help`.

The composition root: it puts problem, network, points, callbacks and trainer together, and runs one command.
Exit codes: 0 done, 1 the loss became NaN or infinite, 2 what was typed cannot be run, 130 interrupted (and saved).
"""

from __future__ import annotations

import logging
import math
import sys
import warnings
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
from datamodules import PointsDataModule
from mask_pinns import MaskPINN, NonFiniteLoss
from mask_pinns.checkpoint import check_checkpoint, check_resume
from mask_pinns.command_line import read
from mask_pinns.configuration import UsageError, find_checkpoint, save
from mask_pinns.plan import plan
from mask_pinns.registry import lookup

PRECISIONS: dict[str, Any] = {
    "32": "32-true", "64": "64-true", "16": "16-mixed", "bf16": "bf16-mixed",
    "32-true": "32-true", "64-true": "64-true", "16-mixed": "16-mixed", "bf16-mixed": "bf16-mixed",
}  # fmt: skip

INTERVALS = {"log": (200, 50), "validate": (16, 500), "statistics": (20, 500), "figures": (3, 5000)}
"""Every 1/share of the run, and at most so many steps: {name: (share, most)}."""
LONGEST_BURST = 50


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
    def every(self) -> dict[str, int]:
        """Steps between logged losses, validations, ...: by the flag, else a share of the run, bounded."""
        return {
            name: getattr(self.config, f"{name}_every") or max(1, min(most, self.steps // share))
            for name, (share, most) in INTERVALS.items()
        }

    def burst(self) -> int:
        """Optimizer steps per batch of Lightning's loop. Raises UsageError where one of the intervals is cut by it."""
        common = math.gcd(*self.every.values())
        given = self.config.burst
        if given is None:
            return max(n for n in range(1, LONGEST_BURST + 1) if common % n == 0) if torch.cuda.is_available() else 1
        for name, interval in self.every.items():
            if interval % given:
                raise UsageError(f"--burst {given} does not divide --{name}_every {interval}; change one of them")
        return int(given)


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
        causal=config.causal,
        balance=config.balance,
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
    )
    module.objective.check(module.network, module.objective.few_points(next(module.network.parameters())))
    module.problem.evaluation()
    run = Run(config, module, data, Console(quiet=bool(getattr(rank_zero_only, "rank", 0))))
    make_trainer(run, logger=False)
    return run


def make_trainer(run: Run, **options: Any) -> L.Trainer:
    """A Trainer on the machine that was asked for, quiet where we speak ourselves."""
    config = run.config
    machine: dict[str, Any] = {key: getattr(config, key) for key in ("accelerator", "devices", "strategy", "num_nodes")}
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
    precision = lookup(PRECISIONS, str(config.precision), "precision")
    try:
        return L.Trainer(precision=precision, inference_mode=False, **machine, **quiet, **config.trainer, **options)
    except (TypeError, RuntimeError) as error:  # what Lightning raises for some devices and strategies
        raise UsageError(f"no such machine ({machine}): {error}") from None


def new_folder(config: SimpleNamespace) -> Path:
    """Claims a folder for this run: NAME, or <problem>-1, -2, ...; never one that exists."""
    root = Path(config.folder)
    if getattr(rank_zero_only, "rank", 0):  # rank 0 claims it and writes in it
        return root / "rank-0-knows"
    stem = config.name or Path(config.problem["name"].rpartition(":")[2]).stem
    names = ([stem] if config.name else []) + [f"{stem}-{i}" for i in range(2 if config.name else 1, 10_000)]
    for name in names:
        try:
            (root / name).mkdir(parents=True)
            return root / name
        except FileExistsError:
            if not (root / name).is_dir():
                raise
    raise UsageError(f"{root} holds too many runs called {stem}")


def fit(run: Run) -> int:
    """Trains, from the start or on from a checkpoint; leaves the run folder and prints a short table."""
    config = run.config
    if config.ckpt_path:
        raise UsageError("--ckpt_path is for validate, test and predict; to go on training: --resume")
    checkpoint = find_checkpoint(config.resume, Path(config.folder)) if config.resume else None
    done = check_resume(checkpoint, run.module) if checkpoint else 0
    if done >= run.steps:
        raise UsageError(f"{checkpoint} has had {done} steps already; go on with a larger --steps")
    run.data.burst, run.module.log_every = run.burst(), run.every["log"]
    if config.explain or config.dry_run:
        explain(run)
    if config.dry_run:
        return 0
    folder = checkpoint.parent.parent if checkpoint else new_folder(config)
    throughput = callbacks.Throughput()
    summary = callbacks.RunSummary(folder, throughput, config.seed, run.console)
    trainer = make_trainer(
        run,
        max_steps=run.steps,
        max_epochs=-1,
        min_epochs=0,
        val_check_interval=run.every["validate"] // run.data.burst,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=[
            TensorBoardLogger(folder.parent, folder.name, version="", purge_step=done + 1 if done else None),
            callbacks.MetricsFile(folder, resume_at=done),
        ],
        callbacks=[
            throughput,
            callbacks.Progress(throughput, console=run.console),
            callbacks.FeatureStatistics(run.every["statistics"], folder=folder),
            callbacks.SolutionFigures(folder, run.every["figures"]),
            callbacks.best_checkpoint(folder / "checkpoints"),
            callbacks.LastCheckpoint(folder / "checkpoints", run.every["validate"]),
            callbacks.StopOnSignal(),
            summary,
        ],
    )
    if trainer.is_global_zero:
        save(config, folder / "config.yaml")
    run.console.print(f"{run.module.problem.title}: {run.steps:,} steps, run folder {folder}", highlight=False)
    try:
        trainer.fit(run.module, run.data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:  # Lightning's answer to a second Ctrl-C
        return 130
    finally:
        if trainer.is_global_zero and summary.result:
            summary.show()
    return 130 if run.module.stop_reason == "interrupted" else 0


def explain(run: Run) -> None:
    """Prints the plan: what will be trained on what, and about how long a step takes here."""
    trainer = make_trainer(run, logger=False)
    if not trainer.is_global_zero:
        return
    module = run.module
    device = trainer.strategy.root_device
    trainer.strategy.precision_plugin.convert_module(module)
    module.to(device)
    dtype = next(module.network.parameters()).dtype
    table = Table(show_header=False, title=f"{module.problem.title}: the plan")
    for what, text in plan(module, run.data.draw(0, 0, trainer.world_size, device, dtype), run.steps):
        table.add_row(what, text)
    run.console.print(table)


def evaluate(run: Run, stage: str) -> int:
    """Prints loss and errors of a checkpoint (the best one of a run folder)."""
    load_chosen(run)
    results = getattr(make_trainer(run, logger=False), stage)(run.module, run.data, verbose=False)
    for name, value in results[0].items():
        run.console.print(f"{name}  {value:.6e}", highlight=False)
    return 0


def predict(run: Run) -> int:
    """Writes prediction.npz beside the run's checkpoints: points (N, D) and values (N, F)."""
    file = run.config.predict_points
    points = read_points(file, run.module) if file else run.module.problem.evaluation().points.numpy()
    checkpoint = load_chosen(run)
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    np.savez(folder / "prediction.npz", points=points, values=run.module.predict(points))
    run.console.print(f"{len(points):,} points written to {folder / 'prediction.npz'}", highlight=False)
    return 0


def read_points(file: str, module: MaskPINN) -> np.ndarray:
    """Points (N, D) from an .npy or .csv file. Raises UsageError for anything else."""
    path, names = Path(file), module.problem.domain.names
    if not path.is_file() or path.suffix not in (".npy", ".csv"):
        raise UsageError(f"points file {path}: expected an existing .npy or .csv file")
    try:
        loaded = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", ndmin=2)
        points = np.asarray(loaded, dtype=np.float64)
    except Exception as error:  # empty, cut off, of another kind: numpy fails in many ways
        raise UsageError(f"points file {path} cannot be read: {error}") from None
    if points.ndim != 2 or points.shape[1] != len(names):
        raise UsageError(f"points file {path} has shape {points.shape}; expected (N, {len(names)}): {', '.join(names)}")
    return points


def load_chosen(run: Run) -> Path:
    """Loads the checkpoint that --ckpt_path means into the module, in the dtype in which it was trained."""
    if run.config.resume or not run.config.ckpt_path:
        raise UsageError("say which run: --ckpt_path last, a run folder, or a checkpoint file")
    checkpoint = find_checkpoint(run.config.ckpt_path, Path(run.config.folder), "best.ckpt")
    content = check_checkpoint(checkpoint, run.module)
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
    except NonFiniteLoss as error:
        print(f"stopped: {error}; the last good checkpoint is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, MisconfigurationException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
