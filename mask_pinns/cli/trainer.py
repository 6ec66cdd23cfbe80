"""Makes the Trainer and the loggers of a run, with the requested processes, devices, precision and intervals.

Lightning starts the processes of one machine. A launcher (torchrun, SLURM) has started them already and gives their
number in the environment. That number must equal the number by the flags, or every process would train alone and take
itself for the first.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.callbacks import MetricsFile
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.registry import lookup

PRECISIONS: dict[str, Any] = {
    "32": "32-true", "64": "64-true", "16": "16-mixed", "bf16": "bf16-mixed",
    "32-true": "32-true", "64-true": "64-true", "16-mixed": "16-mixed", "bf16-mixed": "bf16-mixed",
}  # fmt: skip
LOST_PROCESS_SIGNS = (
    "connection closed",
    "connection reset",
    "connection refused",
    "broken pipe",
    "gloo",
    "nccl",
    "timed out",
)
"""Words in the messages of backends about a process that does not answer any more."""

INTERVALS = {"log": (100, 50), "validate": (16, 500), "statistics": (20, 500), "figures": (3, 5000)}
"""{name: (parts, limit)}: the interval is the run's steps divided by `parts`, but at most `limit`."""
OBSERVER_SHARE = 0.02
"""The largest share of the training time for recordings of the features, and for figures before the last one, if their
interval is not given."""
LONGEST_BURST = 50
"""The most steps per batch if their number is not given."""


def make_trainer(config: SimpleNamespace, plugins: tuple[Any, ...] = (), **options: Any) -> L.Trainer:
    """Makes a Trainer for the machine in the configuration, without the output that this package prints instead.

    Raises UsageError if there is no such machine, or if a launcher has started another number of processes.
    """
    machine: dict[str, Any] = {key: getattr(config, key) for key in ("accelerator", "devices", "strategy", "num_nodes")}
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
    if str(config.strategy).startswith(("fsdp", "deepspeed")):
        raise UsageError(
            f"--strategy {config.strategy} shares out the parameters, but second-order methods need all of them in "
            "each process; use --strategy ddp"
        )
    if any(word in str(config.strategy) for word in ("spawn", "fork", "notebook")):
        raise UsageError(f"--strategy {config.strategy} copies a running process, which has read this command: use ddp")
    precision = lookup(PRECISIONS, str(config.precision), "precision")
    launcher = _launcher()
    try:
        if launcher == "SLURM":
            # Runs are resumed only by --resume. Lightning's own way would resume from any checkpoint in the folder.
            plugins = (*plugins, SLURMEnvironment(auto_requeue=False))
        options = machine | quiet | config.trainer | options
        trainer = L.Trainer(precision=precision, inference_mode=False, plugins=list(plugins), **options)
    except (TypeError, RuntimeError, ImportError) as error:  # Lightning raises these for some devices and strategies
        raise UsageError(f"no such machine or trainer ({machine | config.trainer}): {error}") from None
    _check_world(trainer, launcher)
    return trainer


def _launcher() -> str | None:
    """Returns the launcher that has started this process, "torchrun" or "SLURM", or None."""
    if TorchElasticEnvironment.detect():
        return "torchrun"
    return "SLURM" if SLURMEnvironment.detect() else None


def _check_world(trainer: L.Trainer, launcher: str | None) -> None:
    """Raises UsageError if the launcher and the flags differ in the number of processes."""
    variable = {"torchrun": "WORLD_SIZE", "SLURM": "SLURM_NTASKS"}.get(launcher or "")
    started = int(os.environ[variable]) if variable else trainer.world_size
    if started != trainer.world_size:
        raise UsageError(
            f"{launcher} has started {started} process(es), but the flags ask for {trainer.world_size}: --devices (of "
            "one node) times --num_nodes must be that number, with --strategy ddp"
        )
    if trainer.world_size == 1 and getattr(rank_zero_only, "rank", None):
        names = [n for n in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if os.environ.get(n, "0") != "0"]
        raise UsageError(f"{', '.join(names)} in the environment says that this is one process of several; unset it")


def lost_process(error: Exception, trainer: L.Trainer) -> bool:
    """Tells whether training on several processes failed because one of them was lost."""
    lost = isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in LOST_PROCESS_SIGNS)
    return trainer.world_size > 1 and lost


def make_loggers(folder: Path, done: int) -> list[Any]:
    """Makes the loggers of TensorBoard and metrics.csv. On resume they drop what was logged after the checkpoint."""
    purge = done + 1 if done else None
    tensorboard = TensorBoardLogger(folder.parent, folder.name, version="", default_hp_metric=False, purge_step=purge)
    return [tensorboard, MetricsFile(folder, resume_at=done)]


def intervals(given: dict[str, int | None], steps: int) -> dict[str, int]:
    """Returns the steps between logged losses, validations, ...: the given number, else one by INTERVALS."""
    return {name: given[name] or max(1, min(limit, steps // parts)) for name, (parts, limit) in INTERVALS.items()}


def burst(given: int | None, every: dict[str, int]) -> int:
    """Returns the steps per batch of Lightning's loop. Raises UsageError if they do not divide every interval."""
    divisor = math.gcd(*every.values())
    if given is None:
        return max(n for n in range(1, LONGEST_BURST + 1) if divisor % n == 0) if torch.cuda.is_available() else 1
    for name, interval in every.items():
        if interval % given:
            raise UsageError(f"--burst {given} does not divide --{name}_every {interval}; change one of them")
    return int(given)
