"""Writes PINNACLE.md and its picture from stored results: error, time and size of each row, and the best in print."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rows import ROWS, Row
from training_runs import panels, timed_curve

HERE = Path(__file__).parent
PAGE = HERE.parent / "PINNACLE.md"
REFERENCES = [HERE.parent / "results" / name for name in ("references.json", "pinnacle_references.json")]
HEAD = """# PINNacle, row by row

PINNacle (Hao et al., NeurIPS 2024, arXiv 2306.08827) compares eleven PINN methods on 20 forward and 2 inverse
problems. This page lists all of them, {run} of which were run so far with this package, by `python
benchmarks/pinnacle/board.py` ([results](results/{results}), [problems and recipes](pinnacle/)).
Settings were chosen by the loss and its value at
fresh points, never by the error. Errors are relative L2 over all compared fields jointly, of the best weights by the
loss at fresh points; medians over the seeds, the worst in brackets. "Best in print" is the lowest mean of the paper's
methods, or of the source that is named. The factor says how many times smaller the error here is;
"yes", that median error and time are within the aim.
Rows that are not run are in work: their recipes are first drafts.

"""


def median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(r[key] for r in runs)


def line(name: str, row: Row, variants: dict[str, list[dict[str, Any]]]) -> str:
    """A row of the table; a row without runs says so."""
    runs = variants.get("mask", [])
    best = f"{row.best:.1e}" + (f" ({row.source})" if row.source else "")
    aim = f"{row.aim:.1e} in {row.minutes} min"
    if not runs:
        return f"| {name} | not run | {best} | | {aim} | | | | |"
    error = median(runs, "error")
    factor = row.best / error
    plain = variants.get("plain", [])
    without = f"{median(plain, 'error'):.1e} ({len(plain)})" if plain else ""
    worst = f"{error:.1e} ({max(r['error'] for r in runs):.1e})"
    size, seeds = f"{runs[0]['parameters']:,}", ", ".join(str(r["seed"]) for r in runs)
    reached = "yes" if error <= row.aim and median(runs, "wall_s") <= 60 * row.minutes else "no"
    return (
        f"| {name} | {worst} | {best} | {factor:.2g} | {aim}: {reached} | {median(runs, 'wall_s'):.0f} s | {size} "
        f"| {without} | {seeds} |"
    )


def references(results: dict[str, Any]) -> str:
    """What each row was compared with, by how much its last refinements differ, and what the benchmark's file says."""
    known = {name: figures for path in REFERENCES for name, figures in json.loads(path.read_text()).items()}
    lines = [
        "| row | problem and recipe | reference | difference to the benchmark's file | remarks |",
        "|---|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        recipe = row.path.relative_to(HERE.parents[1])
        others = [r["against_others"] for r in results.get(name, {}).get("mask", []) if "against_others" in r]
        compared = f"{statistics.median(others):.1e} (`{row.others}`)" if others else ""
        what = accuracy(known.get(row.recipe, {}))
        lines.append(f"| {name} | [{row.recipe}](../{recipe}) | {what} | {compared} | {row.note} |")
    return "\n".join(lines)


def accuracy(figures: dict[str, Any]) -> str:
    """How a reference was made, and by how much its last two refinements differ; a formula has no figures."""
    if not figures:
        return "a formula, or the reference of the library"
    changes = figures["relative L2 difference between successive refinements"]
    last = next(iter(changes.values()))[-1] if isinstance(changes, dict) else changes[-1]
    change = next(iter(last.values())) if isinstance(last, dict) else last  # that of the first group of fields
    return f"{figures['method'].partition(';')[0]}: {change:.0e}"


def draw(results: dict[str, Any]) -> Figure:
    """Error against time, a panel for each row that was run, with the best in print and the aim."""
    shown = [name for name in ROWS if results.get(name)]
    figure, axes = panels(shown)
    for axis, name in zip(axes, shown, strict=True):
        for variant, color in (("mask", "C0"), ("plain", "C1")):
            for run in results[name].get(variant, []):
                axis.plot(*zip(*timed_curve(run), strict=True), color=color, alpha=0.7)
        axis.axhline(ROWS[name].best, color="gray", linestyle=":")
        axis.axhline(ROWS[name].aim, color="C2", linestyle="--")
    return figure


def write(results: dict[str, Any], stored: Path) -> None:
    """Writes the page, and its picture beside the stored results."""
    head = (
        "| row | error, median (worst) | best in print | factor | aim | training | parameters | without mask (seeds) "
    )
    head += "| seeds |"
    table = [head, "|---" * 9 + "|", *(line(name, row, results.get(name, {})) for name, row in ROWS.items())]
    picture = stored.with_suffix(".png")
    draw(results).savefig(picture, dpi=80)
    devices = sorted({r["device"] for v in results.values() for runs in v.values() for r in runs})
    parts = [
        HEAD.format(results=stored.name, run=sum(bool(v) for v in results.values())) + "\n".join(table),
        f"Devices: {'; '.join(devices) or 'none yet'}.",
        f"![error against time; blue with the mask, orange without, dotted the best in print, dashed the aim]"
        f"(results/{picture.name})",
        "## References\n\n" + references(results),
    ]  # fmt: skip
    page = PAGE if stored.resolve().parent == PAGE.parent / "results" else stored.with_suffix(".md")
    page.write_text("\n\n".join(parts) + "\n")
    print("\n".join(table))
