"""Finds, makes and locks the folder of a run; the errors of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

from filelock import FileLock, Timeout

from mask_pinns.checkpoints.atomic_files import links_elsewhere, without_link

WINDOWS = "window-*/checkpoints/*.ckpt"
"""Checkpoints of time windows in a run folder."""
STUDY = "study.db"
"""The file with the trials of a study, in its folder."""


class UsageError(ValueError):
    """The command is invalid; the message says why, in one line."""


class Stopped(RuntimeError):
    """Training had to stop; the message says why, and how to continue."""


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
    if (path / STUDY).is_file():
        raise UsageError(
            f"{path} is a study with several runs; name one, {path}/trial-0, or go on: tune --resume {path}"
        )
    if given == "last":
        found = [*runs.glob("*/checkpoints/*.ckpt"), *runs.glob(f"*/{WINDOWS}")]
        if not found:
            raise UsageError(f"there is no run with a checkpoint in {runs}")
        path = runs / max(found, key=lambda p: p.stat().st_mtime).relative_to(runs).parts[0]
    if path.is_dir() and any(path.glob(WINDOWS)):
        path = path / "checkpoints" / "best.ckpt"  # of all windows so far; there is none before the first one is done
        return Path(os.path.abspath(path))
    if path.is_dir():
        folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
        path = folder / name if (folder / name).is_file() else folder / "last.ckpt"  # there may be no best yet
    if not path.is_file() and not any(path.parent.glob("*.ckpt")):
        raise UsageError(f"checkpoint {path if str(path).strip() else repr(str(path))} does not exist")
    return Path(os.path.abspath(path))  # a bare file name would have no parent folder


def find_study(given: str, runs: Path) -> Path:
    """Returns the folder of a study, for "last" that of the latest one in `runs`. Raises UsageError if it is none."""
    if given == "last":
        studies = sorted(runs.glob(f"*/{STUDY}"), key=lambda file: file.stat().st_mtime)
        if not studies:
            raise UsageError(f"there is no study in {runs}; begin one without --resume")
        return studies[-1].parent
    if not (Path(given) / STUDY).is_file():
        raise UsageError(
            f"{given} is no study, there is no {STUDY} in it; expected a folder that tune has made, or last"
        )
    return Path(given)


def new_folder(config: SimpleNamespace) -> Path:
    """Makes a new folder for this run: NAME, or <problem>-1, -2, ...

    Raises UsageError for a name that is a path, and if no folder can be made.
    """
    root = Path(config.folder)
    if config.name and (Path(config.name).name != config.name or config.name == ".."):
        raise UsageError(f"--name {config.name} is a path; expected the name of a folder in --folder {root}")
    if process_rank():  # only rank 0 makes the folder and writes in it
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


def process_rank() -> int:
    """The rank of this process, 0 for the first one."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_only  # not above: a mistake is answered without it

    return getattr(rank_zero_only, "rank", 0) or 0


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
    if process_rank():  # rank 0 has the lock
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
