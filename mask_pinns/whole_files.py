"""Files that are written as a whole or not at all, whatever breaks in between: a kill, a full disk, the power."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """A file beside the old one, which is brought down to the disk and only then put in its place.

    Raises OSError where the disk does not take it; the part that was written is removed, the old file kept.
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
    """Brings a rename down to the disk, where the system can: some cannot open a folder, or cannot sync one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
