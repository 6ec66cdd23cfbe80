"""Names of problems that are files, "FILE.py:CLASS": where the file lies, and whether two names mean the same one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODULE_PREFIX = "mask_pinns_user_"
"""What the names of modules begin with that are made from such files."""


def located(name: str, folder: Path | None = None) -> str:
    """The spec "FILE.py:CLASS" with the whole path of a file that exists in a folder, or here; other names as given."""
    path, suffix, class_name = name.rpartition(".py")
    for base in (folder, Path()) if suffix else ():
        if base is not None and (file := base / f"{path}.py").is_file():
            return f"{os.path.abspath(file)}{class_name}"  # a link is kept: its neighbours are those of the link
    return name


def forget_modules() -> None:
    """Forgets the files of problems that this process has loaded: another command reads them as they are then."""
    for name in [name for name in sys.modules if name.startswith(MODULE_PREFIX)]:
        del sys.modules[name]


def same_problem(one: str, other: str) -> bool:
    """Whether two names mean the same problem, or the same class of a file of the same name that was moved."""
    return one == other or (".py" in one and Path(one).name == Path(other).name)
