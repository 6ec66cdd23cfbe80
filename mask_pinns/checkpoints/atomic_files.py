"""Files that are written completely or not at all, even if the process is killed, the disk is full or power fails."""

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
    try:
        with part.open(mode, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Flushes a rename to the disk, if the system can: some cannot open a folder, or cannot sync one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
