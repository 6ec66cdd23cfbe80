"""Why a command had to stop, in one line that says what is saved, and how to continue."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import lightning as L
import torch

from mask_pinns.callbacks.checkpoints import NotSaved, is_disk_error
from mask_pinns.checkpoints.loading import resume_error
from mask_pinns.checkpoints.rollback import NonFiniteLoss
from mask_pinns.cli.run_folder import Stopped, UsageError
from mask_pinns.cli.trainer import lost_process
from mask_pinns.memory import is_out_of_memory, requested
from mask_pinns.problems.failures import ProblemFailed


class Failed(Protocol):
    """The parts of a run that a message needs."""

    config: SimpleNamespace
    module: Any

    @property
    def dtype(self) -> torch.dtype: ...


def answer(error: Exception, run: Failed, trainer: L.Trainer, folder: Path, unloaded: Path | None) -> Exception:
    """Returns the error that says in one line why training ended, and how to continue; `error` if there is none.

    `unloaded` is the checkpoint to resume from if training has not begun.
    """
    if is_out_of_memory(error):
        return memory_error(error, run.config, folder)
    if isinstance(error, OSError | NonFiniteLoss | ProblemFailed):
        return stop_error(error, folder)
    if not isinstance(error, LookupError | TypeError | ValueError | AttributeError | RuntimeError):
        return error
    if lost_process(error, trainer):
        reason = str(error).strip().splitlines()[0]
        return Stopped(f"another process of this run is gone ({reason}); go on with --resume {folder}")
    return resume_error(unloaded, run.module, run.dtype, error) if unloaded else error


def what_to_reduce(config: SimpleNamespace) -> str:
    """Says which settings take less memory in their place."""
    optimizer, points = str(config.optimizer), ", ".join(f"{name} {n:,}" for name, n in config.points.items())
    dense = "gauss_newton" in optimizer or "broyden" in optimizer or "bfgs" in optimizer.replace("lbfgs", "")
    sizes = ", ".join(f"--{name} {config.network[name]}" for name in ("width", "blocks") if name in config.network)
    matrices = " (the optimizer's matrices grow with the square of the parameters; adam and lbfgs have none)"
    return f"take fewer --points ({points}) or a smaller network ({sizes}){matrices if dense else ''}"


def kept(folder: Path) -> Path | None:
    """Returns what --resume goes on with: the run, the best checkpoint of one that has no last one yet, or None."""
    last, best = (folder / "checkpoints" / f"{name}.ckpt" for name in ("last", "best"))
    return folder if last.is_file() else best if best.is_file() else None


def memory_error(error: BaseException, config: SimpleNamespace, folder: Path | None = None) -> Stopped:
    """Makes the error of a command whose memory did not suffice: it says what to reduce, and how to continue."""
    size = f", {requested(error)} more are not free" if requested(error) else ""
    failed = f"{error}; " if isinstance(error, ProblemFailed) else ""
    message = f"{failed}out of memory{size}: {what_to_reduce(config)}"
    if folder is None:
        return Stopped(message)
    saved = kept(folder)
    go_on = f"the last good checkpoint is kept: go on with --resume {saved} and fewer points, or begin again"
    return Stopped(f"{message}; {go_on if saved else 'nothing was saved yet'}")


def stop_error(error: OSError | NonFiniteLoss | ProblemFailed, folder: Path) -> Stopped:
    """Makes the error of a run that had to stop: its message says why, what is saved, and how to continue."""
    saved = kept(folder)
    if not isinstance(error, OSError):
        return Stopped(f"{error}; {'the last good checkpoint is kept' if saved else 'nothing was saved yet'}")
    first: OSError = error
    while not isinstance(first, NotSaved) and isinstance(first.__context__, OSError):
        first = first.__context__  # on a full disk, later writes fail as well
    advice = f"go on with --resume {saved}" if saved else "begin again: nothing was saved yet"
    if not folder.is_dir():
        return Stopped(f"the run folder {folder} is gone ({first.strerror or first}): begin again, and leave it there")
    if not is_disk_error(first):
        return Stopped(f"{first}; {advice}")
    free = f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB free on the disk of {folder}"
    return Stopped(f"{first}; {free}: make room there and {advice}")


def used_port(error: BaseException) -> UsageError | None:
    """Makes the error of processes that cannot meet because another program has their port; None for another error."""
    if "EADDRINUSE" not in str(error):
        return None
    port = os.environ.get("MASTER_PORT", "their port")
    return UsageError(f"port {port}, where the processes meet, is in use: set MASTER_PORT to a free one, or unset it")
