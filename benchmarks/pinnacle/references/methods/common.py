"""What the scripts of this folder share: the points, the refinements, the file and the record of it all.

    python -m benchmarks.pinnacle.references.NAME [--record FILE]

is called from the repository's root. FILE is a JSON file, to which the measured figures are added under the name.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.shapes.references.scattered import difference

FOLDER = Path(__file__).parents[1]


@dataclass(frozen=True)
class Row:
    """A row of the benchmark, how it is solved ever more finely, and what its reference must fulfil."""

    name: str
    method: str
    points: tuple[np.ndarray, ...]
    """x, y and, in space, z."""
    solve: Callable[..., np.ndarray]
    """Values, (points,) or (points, times), by one refinement, with which it is called by name."""
    refinements: tuple[Mapping[str, object], ...]
    """From coarse to fine; the last one is stored."""
    allowed: float
    """The largest relative L2 difference between the last two refinements, over all points and times."""
    times: np.ndarray | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    """More figures for the record."""
    module: str = ""
    """The script, if it has another name."""


def scattered(
    box: Sequence[tuple[float, float]], inside: Callable[..., np.ndarray], count: int
) -> tuple[np.ndarray, ...]:
    """So many quasi-random points of a box that are inside of the domain, the same on every machine."""
    unit = qmc.Sobol(len(box), scramble=True, rng=0).random_base2(13)
    points = [low + (high - low) * u for (low, high), u in zip(box, unit.T, strict=True)]
    kept = inside(*points)
    return tuple(p[kept][:count] for p in points)


def outside(balls: Sequence[Sequence[float]], *coordinates: np.ndarray) -> np.ndarray:
    """Whether points are outside of all balls, each a center and a radius."""
    point = np.stack(coordinates, -1)
    return np.all([np.linalg.norm(point - ball[:-1], axis=-1) > ball[-1] for ball in balls], axis=0)


def measured(row: Row) -> tuple[np.ndarray, dict[str, object]]:
    """The finest values, and what was measured on the way to them; the last two refinements must agree."""
    values, seconds = [], []
    for refinement in row.refinements:
        start = time.perf_counter()
        values.append(row.solve(**refinement))
        seconds.append(round(time.perf_counter() - start, 1))
        change = f", changed by {difference(values[-2], values[-1]):.1e}" if values[1:] else ""
        print(f"{row.name} {dict(refinement)}: {seconds[-1]} s{change}", flush=True)
    changes = [difference(coarse, fine) for coarse, fine in pairwise(values)]
    require({f"{row.name}, the last two refinements (relative L2)": (changes[-1], row.allowed)})
    return values[-1], {
        "command": f"python -m benchmarks.pinnacle.references.{row.module or row.name}"
        " --record benchmarks/results/pinnacle_references.json",
        "method": row.method,
        "points": len(row.points[0]),
        **({} if row.times is None else {"times": len(row.times)}),
        "refinements": [dict(r) for r in row.refinements],
        "seconds": seconds,
        "relative L2 difference between successive refinements": changes,
        "largest difference between the last two refinements": float(np.abs(values[-1] - values[-2]).max()),
        "largest value": float(np.abs(values[-1]).max()),
        **row.facts,
    }


def store(row: Row, values: np.ndarray, file: Path) -> None:
    """Writes the file, in single precision where the reference is no more accurate than that."""
    columns: dict[str, Any] = dict(zip("xyz", row.points, strict=False))
    if row.times is not None:
        columns["t"] = row.times
    np.savez_compressed(file, **columns, u=values.astype(np.float64 if row.allowed < 1e-7 else np.float32))


def options(words: Sequence[str] | None = None, **more: str) -> argparse.Namespace:
    """The options of the command line: the record, and more files or folders, by name, with what they are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path, metavar="FILE", help="JSON file to which the figures are added")
    for name, text in more.items():
        parser.add_argument(f"--{name}", type=Path, help=text)
    return parser.parse_args(words)


def make(row: Row, record: Path | None, file: Path | None = None) -> None:
    """Makes the reference, its file (by default NAME.npz beside this module) and its entry in the record."""
    values, figures = measured(row)
    store(row, values, file or FOLDER / f"{row.name}.npz")
    print(json.dumps({row.name: figures}, indent=1))
    if record:
        known = json.loads(record.read_text()) if record.exists() else {}
        known[row.name] = figures
        record.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
