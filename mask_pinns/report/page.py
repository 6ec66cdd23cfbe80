"""Writes one self-contained HTML page about a run, or about two runs: summary, pictures, drift, settings.

    python -m mask_pinns.report runs/wave-1                      writes runs/wave-1/report.html
    python -m mask_pinns.report runs/masked runs/plain --out pair.html

It reads the files of the run folder (summary.json, config.yaml, metrics.csv, drift.csv, alarms.txt, solution.png). The
page contains every picture, so it can be read without an internet connection. It can also be written while a run is
training or after the run was killed, and then shows the data that exist.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mask_pinns.callbacks.features.glossary import GENERAL_QUANTITIES, STAGE_QUANTITIES, STAGES
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.objective.posterior import in_words
from mask_pinns.report.figures import Picture, drift_pictures, training_picture
from mask_pinns.report.run_record import RunRecord

SUMMARY_LABELS = {
    "problem": "problem", "rel_l2": "relative L2", "estimated_rel_l2": "relative L2, estimated", "max_error":
    "largest error", "loss": "loss", "val_loss": "loss at fresh points", "steps": "steps",
    "wall_s": "training, s", "s_per_step": "s a step", "statistics_s": "statistics, s", "statistics_end_s":
    "statistics at the end, s", "parameters": "parameters",
    "optimizer": "optimizer", "dtype": "precision", "device": "device", "seed": "seed", "stop_reason": "stopped by",
    "commit": "commit",
}  # fmt: skip
COMPARED_LAYERS = {
    "feature_drift": "drift of h", "preactivation_drift": "drift of z", "feature_std": "spread of h",
    "preactivation_std": "spread of z", "preactivation_saturation": "saturation", "feature_effective_rank":
    "effective rank", "feature_dead": "dead units", "mask_openness": "mask openness",
}  # fmt: skip
COMPARED_BLOCKS = {
    "block_output_drift": "drift", "block_output_std": "spread", "block_output_skewness": "skewness",
    "block_output_kurtosis": "kurtosis",
}  # fmt: skip
TABLES = {"layer": COMPARED_LAYERS, "block output": COMPARED_BLOCKS}


def page(runs: list[RunRecord]) -> str:
    """Returns the page as HTML."""
    environment = Environment(
        loader=PackageLoader("mask_pinns.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    pictures: list[Picture] = [training_picture(runs), *drift_pictures(runs)]
    return environment.get_template("report.html").render(
        runs=runs,
        title=" and ".join(run.name for run in runs),
        summary=[(label, [_cell(run.summary.get(key)) for run in runs]) for key, label in SUMMARY_LABELS.items()]
        + _errors_by_field(runs)
        + _unknowns(runs),
        windows=[(run.name, _windows(run)) for run in runs if run.windows],
        pictures=[picture for picture in pictures if picture.svg],
        tables={
            what: (compared, list(dict.fromkeys(layer for run in runs for layer in run.layers_with(*compared))))
            for what, compared in TABLES.items()
        },
        number=lambda value: "-" if value != value else f"{value:.2g}",
        settings=_settings(runs),
        glossary=STAGES | GENERAL_QUANTITIES | STAGE_QUANTITIES,
    )


def _errors_by_field(runs: list[RunRecord]) -> list[tuple[str, list[str]]]:
    """Returns the two errors of each field in each run, if any run has several fields."""
    given = [run.summary.get("errors") for run in runs]
    errors = [known if isinstance(known, dict) else {} for known in given]
    fields = list(dict.fromkeys(field for known in errors for field in known))
    kinds = {"rel_l2": "relative L2", "max_error": "largest error"}
    return [
        (f"{label} of {field}", [_cell(dict(known.get(field) or {}).get(key)) for known in errors])
        for field in (fields if len(fields) > 1 else [])
        for key, label in kinds.items()
    ]


def _settings(runs: list[RunRecord]) -> list[tuple[str, list[str], bool]]:
    """Returns every setting with its value in each run, and whether the runs differ in it; those come first."""
    names = sorted({name for run in runs for name in run.settings})
    rows = [(name, [str(run.settings.get(name, "")) for run in runs]) for name in names]
    marked = [(name, values, len(set(values)) > 1) for name, values in rows]
    return sorted(marked, key=lambda row: not row[2])


def _unknowns(runs: list[RunRecord]) -> list[tuple[str, list[str]]]:
    """Rows of the unknown numbers."""
    given = [run.summary.get("unknowns") or {} for run in runs]
    names = dict.fromkeys(name for of_run in given for name in of_run)
    return [(name, [in_words(of_run[name]) if name in of_run else "" for of_run in given]) for name in names]


def _windows(run: RunRecord) -> list[list[str]]:
    """A row for each time window of a run."""
    return [
        [
            f"{w['start']:g} to {w['end']:g}", str(w["steps"]), f"{w['wall_s']:.1f}", _cell(w["loss"]),
            ", ".join(f"{name} {_cell(error)}" for name, error in w["rel_l2"].items()) or "-",
            ", ".join(f"{name} {gap:.1e}" for name, gap in w["jump"].items()) or "-", w["stop_reason"],
        ]
        for w in run.windows
    ]  # fmt: skip


def _cell(value: Any) -> str:
    """Formats a value of the summary for a table."""
    if value is None or value != value:  # nothing, or NaN
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def names(folders: Sequence[Path]) -> list[str]:
    """Returns the folders' names, with as many parent folders as are necessary to distinguish them."""
    parts = [folder.resolve().parts for folder in folders]
    for n in range(1, max(map(len, parts)) + 1):
        candidates = [str(Path(*p[-n:])) for p in parts]
        if len(set(candidates)) == len(candidates):
            return candidates
    return [folder.name for folder in folders]  # the same folder twice


def main(argv: list[str] | None = None) -> int:
    """Writes the page. Returns the exit code: 0, or 2 if a folder cannot be reported."""
    parser = argparse.ArgumentParser(
        prog="python -m mask_pinns.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("other", type=Path, nargs="?", help="a second run folder, to compare with")
    parser.add_argument("--out", type=Path, help="the file to write; RUN/report.html if not given")
    arguments = parser.parse_args(argv)
    try:
        folders = [folder for folder in (arguments.run, arguments.other) if folder is not None]
        runs = [RunRecord.read(folder, name) for folder, name in zip(folders, names(folders), strict=True)]
        out = arguments.out or arguments.run / "report.html"
        text = page(runs)
        with whole_file(out) as file:
            file.write(text)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if links := [str(link) for run in runs for link in run.links]:
        print(f"left out, because links are not followed: {', '.join(links)}")
    print(f"written to {out}")
    return 0
