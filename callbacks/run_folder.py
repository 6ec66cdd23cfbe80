"""A run's folder: made, claimed for one process, and what to say where a run in it breaks off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

from filelock import FileLock, Timeout
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from callbacks.checkpoints import NotSaved, of_the_disk
from mask_pinns import NonFiniteLoss
from mask_pinns.configuration import UsageError
from mask_pinns.problems.blame import ProblemFailed


def new_folder(config: SimpleNamespace) -> Path:
    """Makes a folder for this run: NAME, or <problem>-1, -2, ...; never one that exists.

    Raises UsageError for a name that is a path, and where no folder can be made.
    """
    root = Path(config.folder)
    if config.name and (Path(config.name).name != config.name or config.name == ".."):
        raise UsageError(f"--name {config.name} is a path; expected the name of a folder, to lie in --folder {root}")
    if getattr(rank_zero_only, "rank", 0):  # rank 0 claims it and writes in it
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
    raise UsageError(f"{root} holds too many runs called {stem}")


def _not_writable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"nothing can be written in {folder} ({error.strerror}); choose another with --folder")


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Holds a run folder for this process, whose end frees it, however it ends.

    Raises UsageError if another has it, or where nothing can be written in it.
    """
    if getattr(rank_zero_only, "rank", 0):  # rank 0 has it
        yield folder
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / ".lock", timeout=0))
        except Timeout:
            raise UsageError(
                f"another process is training in {folder}; wait until it ends, or leave out --resume to begin a new run"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{folder / '.lock'} cannot be made ({error.strerror}), and a run goes on in its own folder; make it "
                "writable, copy the folder to where it is, or begin a new run with another --folder"
            ) from None
        yield folder


class Stopped(RuntimeError):
    """Training that had to stop; the message says why, and how to go on."""


def stopped(error: OSError | NonFiniteLoss | ProblemFailed, folder: Path) -> Stopped:
    """What to say of a run that broke off in the middle, of what was kept, and of how to go on."""
    saved = (folder / "checkpoints/last.ckpt").is_file()
    if not isinstance(error, OSError):
        return Stopped(f"{error}; {'the last good checkpoint is kept' if saved else 'nothing was saved yet'}")
    first: OSError = error
    while not isinstance(first, NotSaved) and isinstance(first.__context__, OSError):
        first = first.__context__  # a full disk fails again where the run is wound up
    how = f"go on with --resume {folder}" if saved else "begin again: nothing was saved yet"
    if not of_the_disk(first):
        return Stopped(f"{first}; {how}")
    free = f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB free on the disk of {folder}"
    return Stopped(f"{first}; {free}: make room there and {how}")
