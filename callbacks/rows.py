"""Rows of a CSV file, read and replaced so that a run that is killed while it writes loses none before."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mask_pinns.whole_files import whole


def whole_rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a table by steps. A row that was cut short, or is damaged, is left out; a table without a
    column `step` counts as empty."""
    if not path.is_file():
        return [], []
    text = path.read_bytes().decode(errors="replace")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))
    if "step" not in (columns := list(reader.fieldnames or ())):
        return [], []
    rows = [row for row in reader if None not in row and None not in row.values()]  # too long, too short
    return columns, [row for row in rows if row["step"].isdecimal()]


def replace_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a file anew, as a whole."""
    with whole(path, newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
