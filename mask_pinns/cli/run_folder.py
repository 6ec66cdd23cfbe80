"""Finds, makes and locks the folder of a run, and makes the error of a run that had to stop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

from filelock import FileLock, Timeout
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.callbacks.checkpoints import NotSaved, is_disk_error, links_elsewhere
from mask_pinns.checkpoints.atomic_files import without_link
from mask_pinns.checkpoints.rollback import NonFiniteLoss
from mask_pinns.memory import requested
from mask_pinns.problems.failures import ProblemFailed


class UsageError(ValueError):
    """The command is invalid; the message says why, in one line."""


def run_folder_of(checkpoint: Path) -> Path:
    """Returns RUN for a checkpoint RUN/checkpoints/FILE. Raises UsageError for a file at another place."""
    if checkpoint.parent.name != "checkpoints":
        raise UsageError(
            f"{checkpoint} lies in no run folder, but --resume writes into one; expected RUN/checkpoints/FILE beside "
            "RUN/config.yaml: put it there, or begin a new run without --resume"
        )
    return checkpoint.parent.parent


def find_checkpoint(given: str, runs: Path, name: str = "last.ckpt") -> Path:
    """Returns the checkpoint for a file, a run folder, or "last" (the run in `runs` with the newest checkpoint).

    A missing file is returned too if its folder has other checkpoints, because the error can then propose one of them.
    Raises UsageError if there is no checkpoint.
    """
    path = Path(given)
    if given == "last":
        by_age = sorted(runs.glob("*/checkpoints/*.ckpt"), key=lambda p: p.stat().st_mtime)
        if not by_age:
            raise UsageError(f"there is no run with a checkpoint in {runs}")
        path = by_age[-1].parent
    if path.is_dir():
        folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
        path = folder / name if (folder / name).is_file() else folder / "last.ckpt"  # there may be no best yet
    if not path.is_file() and not any(path.parent.glob("*.ckpt")):
        raise UsageError(f"checkpoint {path} does not exist")
    return Path(os.path.abspath(path))  # a bare file name would have no parent folder


def new_folder(config: SimpleNamespace) -> Path:
    """Makes a new folder for this run: NAME, or <problem>-1, -2, ...

    Raises UsageError for a name that is a path, and if no folder can be made.
    """
    root = Path(config.folder)
    if config.name and (Path(config.name).name != config.name or config.name == ".."):
        raise UsageError(f"--name {config.name} is a path; expected the name of a folder in --folder {root}")
    if getattr(rank_zero_only, "rank", 0):  # only rank 0 makes the folder and writes in it
        return root / "rank-0-knows"
    stem = config.name or Path(config.problem["name"].rpartition(":")[2]).stem
    names = ([stem] if config.name else []) + [f"{stem}-{i}" for i in range(2 if config.name else 1, 10_000)]
    for name in names:
        try:
            (root / name).mkdir(parents=True)
            return root / name
        except OSError as error:
            if not (root / name).is_dir():
                raise _not_writable(root, error) from None
    raise UsageError(f"{root} has too many runs named {stem}; choose another --name")


def _not_writable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"nothing can be written in {folder} ({error.strerror}); choose another with --folder")


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Locks a run folder for this process. The lock ends with the process, however it ends.

    Raises UsageError if another process has the lock, if the folder is not writable, or if its checkpoints would be
    written elsewhere.
    """
    if (folder / "checkpoints").is_symlink():
        raise UsageError(links_elsewhere(folder / "checkpoints"))
    if getattr(rank_zero_only, "rank", 0):  # rank 0 has the lock
        yield folder
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(without_link(folder / ".lock"), timeout=0))
        except Timeout:
            raise UsageError(
                f"another process is training in {folder}; wait until it ends, or leave out --resume to begin a new run"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{folder / '.lock'} cannot be made ({error.strerror}), but a resumed run writes into its folder; make "
                "it writable, copy it to a place that is writable, or begin a new run with another --folder"
            ) from None
        yield folder


class Stopped(RuntimeError):
    """Training had to stop; the message says why, and how to continue."""


def what_to_reduce(config: SimpleNamespace) -> str:
    """Says which settings take less memory in their place."""
    optimizer, points = str(config.optimizer), ", ".join(f"{name} {n:,}" for name, n in config.points.items())
    dense = "gauss_newton" in optimizer or "broyden" in optimizer or "bfgs" in optimizer.replace("lbfgs", "")
    sizes = ", ".join(f"--{name} {config.network[name]}" for name in ("width", "blocks") if name in config.network)
    matrices = " (the optimizer's matrices grow with the square of the parameters; adam and lbfgs have none)"
    return f"take fewer --points ({points}) or a smaller network ({sizes}){matrices if dense else ''}"


def memory_error(error: BaseException, config: SimpleNamespace, folder: Path | None = None) -> Stopped:
    """Makes the error of a command whose memory did not suffice: it says what to reduce, and how to continue."""
    size = f", {requested(error)} more are not free" if requested(error) else ""
    failed = f"{error}; " if isinstance(error, ProblemFailed) else ""
    message = f"{failed}out of memory{size}: {what_to_reduce(config)}"
    if folder is None:
        return Stopped(message)
    saved = (folder / "checkpoints/last.ckpt").is_file()
    go_on = f"the last good checkpoint is kept: go on with --resume {folder} and fewer points, or begin again"
    return Stopped(f"{message}; {go_on if saved else 'nothing was saved yet'}")


def stop_error(error: OSError | NonFiniteLoss | ProblemFailed, folder: Path) -> Stopped:
    """Makes the error of a run that had to stop: its message says why, what is saved, and how to continue."""
    saved = (folder / "checkpoints/last.ckpt").is_file()
    if not isinstance(error, OSError):
        return Stopped(f"{error}; {'the last good checkpoint is kept' if saved else 'nothing was saved yet'}")
    first: OSError = error
    while not isinstance(first, NotSaved) and isinstance(first.__context__, OSError):
        first = first.__context__  # on a full disk, later writes fail as well
    advice = f"go on with --resume {folder}" if saved else "begin again: nothing was saved yet"
    if not is_disk_error(first):
        return Stopped(f"{first}; {advice}")
    free = f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB free on the disk of {folder}"
    return Stopped(f"{first}; {free}: make room there and {advice}")
