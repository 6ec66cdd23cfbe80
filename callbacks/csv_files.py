"""CSV tables by steps, read and replaced so that a run that is killed while it writes loses no earlier row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mask_pinns.checkpoints.atomic_files import is_own_file, whole_file


def read_intact_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Returns the columns and the rows of a table by steps.

    Rows that are incomplete or damaged are left out. A link, or a table without a column `step`, counts as empty.
    """
    if not is_own_file(path):
        return [], []
    text = path.read_bytes().decode(errors="replace")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    if "step" not in (columns := list(reader.fieldnames or ())):
        return [], []
    rows = [row for row in reader if None not in row and None not in row.values()]  # too long or too short
    return columns, [row for row in rows if row["step"].isdecimal()]


def replace_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes the rows to a new file that then replaces the old one."""
    with whole_file(path, newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
