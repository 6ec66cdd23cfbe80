"""One self-contained HTML page for a run, or for a pair: pictures, drift, summary, settings.

    python -m callbacks.report runs/wave-1                      writes runs/wave-1/report.html
    python -m callbacks.report runs/masked runs/plain --out pair.html

It reads what a run leaves in its folder (summary.json, config.yaml, metrics.csv, drift.csv, alarms.txt, solution.png)
and needs no network to be looked at: every picture is in the page. A run that goes on still, or was killed, has a page
of what there is.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from callbacks.quantities import OF_ANY_STAGE, OF_ONE_STAGE, STAGES
from callbacks.report_figures import Picture, drift_pictures, training_picture
from callbacks.rows import whole_rows
from mask_pinns.configuration import flatten

SUMMED_UP = {
    "problem": "problem", "rel_l2": "relative L2", "max_error": "largest error", "loss": "loss", "steps": "steps",
    "wall_s": "training, s", "s_per_step": "s a step", "statistics_s": "statistics, s", "statistics_end_s":
    "statistics at the end, s", "parameters": "parameters",
    "optimizer": "optimizer", "dtype": "precision", "device": "device", "seed": "seed", "stop_reason": "stopped by",
    "commit": "commit",
}  # fmt: skip
COMPARED = {
    "feature_drift": "drift of h", "preactivation_drift": "drift of z", "feature_std": "spread of h",
    "preactivation_std": "spread of z", "preactivation_saturation": "saturation", "feature_effective_rank":
    "effective rank", "feature_dead": "dead units", "mask_openness": "mask openness",
}  # fmt: skip
PASSED_ON = {
    "block_output_drift": "drift", "block_output_std": "spread", "block_output_skewness": "skewness",
    "block_output_kurtosis": "kurtosis",
}  # fmt: skip
TABLES = {"layer": COMPARED, "end of block": PASSED_ON}


LEFT = ("summary.json", "config.yaml", "metrics.csv", "drift.csv")
"""What a run leaves; where there is none of them, there was no run."""


@dataclass(frozen=True)
class Run:
    """What a run folder holds; what is missing is empty. Numbers of tables are floats, NaN where there is none."""

    name: str
    folder: Path
    summary: dict[str, Any]
    settings: dict[str, Any]
    metrics: list[dict[str, float]]
    drift: list[dict[str, Any]]
    alarms: list[str]

    @classmethod
    def read(cls, folder: Path, name: str = "") -> Run:
        """The run of a folder, called after it unless said.

        Raises ValueError where there is no run, or a file is not what it should be.
        """
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder; expected that of a run, e.g. runs/wave-1")
        if not any((folder / left).is_file() for left in LEFT):
            raise ValueError(f"{folder} is no run: it has none of {', '.join(LEFT)}")
        try:
            alarms = folder / "alarms.txt"
            return cls(
                name or folder.resolve().name,
                folder,
                _mapping(folder / "summary.json", json.loads),
                flatten(_mapping(folder / "config.yaml", yaml.safe_load)),
                _table(folder / "metrics.csv", "step"),
                _table(folder / "drift.csv", "step", "layer"),
                alarms.read_text().splitlines() if alarms.is_file() else [],
            )
        except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            raise ValueError(f"{folder} cannot be read: {' '.join(str(error).split())}") from None

    @property
    def finished(self) -> bool:
        return bool(self.summary)

    def having(self, *quantities: str) -> list[str]:
        """The layers, hidden or not, that have one of the quantities."""
        known = [row for row in self.drift if any(row.get(name, nan) == row.get(name, nan) for name in quantities)]
        return list(dict.fromkeys(row["layer"] for row in known))

    def last(self, layer: str, quantity: str) -> float:
        """The quantity of a layer at its last look."""
        rows = [row for row in self.drift if row["layer"] == layer]
        return float(rows[-1].get(quantity, nan)) if rows else nan

    def picture(self) -> str:
        """solution.png as a data address; empty if there is none."""
        path = self.folder / "solution.png"
        return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}" if path.is_file() else ""


def _mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """What a file of names and values holds; nothing where there is none."""
    found = (parse(path.read_text()) or {}) if path.is_file() else {}
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds {found!r:.40}; expected names with values")
    return found


def _table(path: Path, *needed: str) -> list[dict[str, Any]]:
    """The rows of a CSV file, without a last one that was cut short."""
    columns, rows = whole_rows(path)
    if path.is_file() and path.stat().st_size and (missing := [name for name in needed if name not in columns]):
        raise ValueError(f"{path.name} has no column {missing[0]!r}")
    return [{k: v if k == "layer" else float(v) if v else nan for k, v in row.items()} for row in rows]


def page(runs: list[Run]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("callbacks", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pictures: list[Picture] = [training_picture(runs), *drift_pictures(runs)]
    return environment.get_template("report.html").render(
        runs=runs,
        title=" and ".join(run.name for run in runs),
        summed_up=[(label, [_shown(run.summary.get(key)) for run in runs]) for key, label in SUMMED_UP.items()],
        pictures=[picture for picture in pictures if picture.svg],
        tables={
            what: (compared, list(dict.fromkeys(layer for run in runs for layer in run.having(*compared))))
            for what, compared in TABLES.items()
        },
        number=lambda value: "-" if value != value else f"{value:.2g}",
        settings=_settings(runs),
        glossary=STAGES | OF_ANY_STAGE | OF_ONE_STAGE,
    )


def _settings(runs: list[Run]) -> list[tuple[str, list[str], bool]]:
    """Every setting with its value in each run, and whether the runs differ in it; those first."""
    names = sorted({name for run in runs for name in run.settings})
    rows = [(name, [str(run.settings.get(name, "")) for run in runs]) for name in names]
    marked = [(name, values, len(set(values)) > 1) for name, values in rows]
    return sorted(marked, key=lambda row: not row[2])


def _shown(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def names(folders: Sequence[Path]) -> list[str]:
    """Each folder's name, with as many of those above it as it takes to tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for n in range(1, max(map(len, parts)) + 1):
        found = [str(Path(*p[-n:])) for p in parts]
        if len(set(found)) == len(found):
            return found
    return [folder.name for folder in folders]  # the same one twice


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m callbacks.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("other", type=Path, nargs="?", help="another one, to compare with")
    parser.add_argument("--out", type=Path, help="where to write the page; else RUN/report.html")
    given = parser.parse_args(argv)
    try:
        folders = [folder for folder in (given.run, given.other) if folder is not None]
        runs = [Run.read(folder, name) for folder, name in zip(folders, names(folders), strict=True)]
        out = given.out or given.run / "report.html"
        out.write_text(page(runs), encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
