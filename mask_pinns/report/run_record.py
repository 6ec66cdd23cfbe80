"""`RunRecord`: reads the files of a run folder for the report."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import Any

import yaml

from mask_pinns.callbacks.csv_files import read_intact_rows
from mask_pinns.checkpoints.atomic_files import is_own_file
from mask_pinns.settings import flatten
from mask_pinns.settings.values import parse_values

RUN_FILES = ("summary.json", "config.yaml", "metrics.csv", "drift.csv")
"""Files that a run writes. A folder without any of them is not a run folder."""


@dataclass(frozen=True)
class RunRecord:
    """Holds the data of a run folder; those of missing files are empty. Tables hold floats, NaN for missing ones.

    Of a run in time windows, tables and alarms are those of all windows: steps are counted on, layers and alarms begin
    with the number of the window.
    """

    name: str
    folder: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    metrics: list[dict[str, float]]
    drift: list[dict[str, Any]]
    alarms: list[str]
    windows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, name: str = "") -> RunRecord:
        """Reads a run folder. The run has the name of the folder if `name` is not given.

        Raises ValueError if the folder is not a run folder, or if a file has invalid content.
        """
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder; expected a run folder, e.g. runs/wave-1")
        if not any(is_own_file(folder / file) for file in RUN_FILES):
            raise ValueError(f"{folder} is no run: it has none of {', '.join(RUN_FILES)}")
        try:
            windows = _read_mapping(folder / "windows.json", json.loads).get("windows", [])
            parts = [_Tables.read(folder / Path(w["weights"]).parts[0]) for w in windows] or [_Tables.read(folder)]
            tables = _joined(parts) if windows else parts[0]
            return cls(
                name or folder.resolve().name,
                folder,
                _read_mapping(folder / "summary.json", json.loads),
                flatten(_read_mapping(folder / "config.yaml", parse_values)),
                tables.metrics,
                tables.drift,
                tables.alarms,
                windows,
            )
        except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            raise ValueError(f"{folder} cannot be read: {' '.join(str(error).split())}") from None

    @property
    def finished(self) -> bool:
        """Tells whether training has ended."""
        return bool(self.summary)

    def layers_with(self, *quantities: str) -> list[str]:
        """Returns the layers and block outputs that have at least one of the quantities."""
        rows = [row for row in self.drift if any(not isnan(row.get(name, nan)) for name in quantities)]
        return list(dict.fromkeys(row["layer"] for row in rows))

    def last(self, layer: str, quantity: str) -> float:
        """Returns a quantity of a layer in the last recording that has it, NaN if none does."""
        values = [float(row.get(quantity, nan)) for row in self.drift if row["layer"] == layer]
        return next((value for value in reversed(values) if not isnan(value)), nan)

    def picture(self) -> str:
        """Returns solution.png as a data URL, "" if there is no such file."""
        path = self.folder / "solution.png"
        return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}" if is_own_file(path) else ""

    @property
    def links(self) -> list[Path]:
        """Lists the files that are links, which the report does not follow: it would show files from elsewhere."""
        paths = [self.folder / name for name in (*RUN_FILES, "alarms.txt", "solution.png")]
        return [path for path in paths if path.is_symlink()]


@dataclass
class _Tables:
    """What a training has written step by step."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> _Tables:
        alarms = folder / "alarms.txt"
        return cls(
            _read_table(folder / "metrics.csv", "step"),
            _read_table(folder / "drift.csv", "step", "layer"),
            alarms.read_text().splitlines() if is_own_file(alarms) else [],
        )


def _joined(parts: list[_Tables]) -> _Tables:
    """The tables of windows as one: their steps are counted on, layers and alarms begin with the window."""
    joined, done = _Tables(), 0.0
    for number, part in enumerate(parts, 1):
        joined.metrics += [row | {"step": row["step"] + done} for row in part.metrics]
        layers = [(row, f"window {number}, {row['layer']}") for row in part.drift]
        joined.drift += [row | {"step": row["step"] + done, "layer": layer} for row, layer in layers]
        joined.alarms += [f"window {number}, {alarm}" for alarm in part.alarms]
        done = max([done, *(row["step"] for row in joined.metrics)])
    return joined


def _read_mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Reads a file of names and values; a missing file gives an empty mapping."""
    content = (parse(path.read_text()) or {}) if is_own_file(path) else {}
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds {content!r:.40}; expected names with values")
    return content


def _read_table(path: Path, *needed: str) -> list[dict[str, Any]]:
    """Reads the complete rows of a CSV file. Raises ValueError if a needed column is missing."""
    columns, rows = read_intact_rows(path)
    if is_own_file(path) and path.stat().st_size and (missing := [name for name in needed if name not in columns]):
        raise ValueError(f"{path.name} has no column {missing[0]!r}")
    return [{k: v if k == "layer" else float(v) if v else nan for k, v in row.items()} for row in rows]
