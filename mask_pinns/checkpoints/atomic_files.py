"""Files that are written completely or not at all, even if the process is killed, the disk is full or power fails.

A symbolic link in a run folder, which anyone may have put there, is never followed: a new file takes its place. The run
folder itself may be a link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole_file(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """Writes a file beside the old one, flushes it to the disk, and only then replaces the old one.

    Raises OSError if that fails; the part that was written is then removed, and the old file stays.
    """
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # of a process that was killed, or a link
    try:
        encoding = None if "b" in mode else "utf-8"
        with part.open(mode.replace("w", "x"), newline=newline, encoding=encoding) as file:  # x follows no link
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def without_link(path: Path) -> Path:
    """Removes a symbolic link at this path, so that a file of its own is written there next. Returns the path."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    return path


def is_own_file(path: Path) -> bool:
    """Tells whether there is a file at this path, and not a link to one elsewhere."""
    return path.is_file() and not path.is_symlink()


def _sync_folder(folder: Path) -> None:
    """Flushes a rename to the disk, if the system can: some cannot open a folder, or cannot sync one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def links_elsewhere(folder: Path) -> str:
    """Says what to do about a folder of checkpoints that is a link: writing into it would replace files elsewhere."""
    return f"{folder} is a link to {folder.readlink()}, which is not followed; put a folder in its place"
