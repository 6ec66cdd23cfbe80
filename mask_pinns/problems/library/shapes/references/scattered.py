"""References on scattered points: the points, differences between refinements, the file, and the record of it all.

    python -m mask_pinns.problems.library.references.NAME [--compare FOLDER] [--record FILE]

FOLDER holds others' data of the same problem (arrays x, y and the fields), which are compared with and never copied.
FILE is a JSON file, to which the measured figures are added under the problem's name.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import qmc

from mask_pinns.problems.library.references.checks import require

Solution = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values of all fields, (points, fields), at coordinates x and y."""


@dataclass(frozen=True)
class Reference:
    """A problem in the plane, how it is solved ever more finely, and what its reference must fulfil."""

    name: str
    method: str
    fields: tuple[str, ...]
    box: tuple[float, float, float, float]
    """x from, x to, y from, y to."""
    inside: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Whether points are inside of the domain, and far enough from corners where the solution is singular."""
    solve: Callable[..., Solution]
    refinements: tuple[Mapping[str, object], ...]
    """What `solve` is called with, from coarse to fine; the last one is stored."""
    allowed: float
    """The largest relative difference of the first group of fields between the last two refinements."""
    groups: tuple[tuple[str, ...], ...] = (("u",),)
    """Fields whose relative L2 difference is taken jointly."""
    compared: tuple[str, ...] = ()
    """Names of others' files in the folder to compare with."""
    corners: tuple[tuple[float, float], ...] = ()
    """Where the pressure is unbounded: others' values of it are compared at a distance only."""
    checks: Callable[..., dict[str, float]] | None = None
    """More figures: of the finest solution, x and y."""
    module: str = ""
    """The script, if it has another name."""
    stored: bool = True


def sobol(reference: Reference, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """So many quasi-random points inside of the domain, the same on every machine."""
    left, right, bottom, top = reference.box
    unit = qmc.Sobol(2, scramble=True, rng=0).random_base2(13)
    x, y = left + (right - left) * unit[:, 0], bottom + (top - bottom) * unit[:, 1]
    inside = reference.inside(x, y)
    return x[inside][:count], y[inside][:count]


def far_from(corners: Sequence[tuple[float, float]], distance: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points are farther than that from every corner."""
    return np.all([np.ones(len(x), bool), *(np.hypot(x - a, y - b) > distance for a, b in corners)], axis=0)


def difference(values: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(values - true) / np.linalg.norm(true))


def by_group(reference: Reference, values: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The relative L2 difference of each group of fields."""
    columns = {", ".join(g): [reference.fields.index(f) for f in g] for g in reference.groups}
    return {name: difference(values[:, c], true[:, c]) for name, c in columns.items()}


def others(reference: Reference, folder: Path, solution: Solution) -> dict[str, dict[str, float]]:
    """By others' file: the relative L2 difference of this solution to its values at its points, by group."""
    found = {}
    for name in reference.compared:
        data = np.load(folder / name)
        theirs = np.stack([data[field.lower()] for field in reference.fields], 1)
        ours = solution(data["x"], data["y"])
        found[name] = {"points": len(ours), **by_group(reference, ours, theirs)}
        if reference.corners:
            far = far_from(reference.corners, 0.05, data["x"], data["y"])
            found[name]["P, farther than 0.05 from singular corners"] = difference(ours[far, -1], theirs[far, -1])
    return found


def measured(reference: Reference, folder: Path | None) -> dict[str, object]:
    """Solves at every refinement, requires that the last two agree, writes the file, returns what was measured."""
    x, y = sobol(reference)
    values, seconds = [], []
    for refinement in reference.refinements:
        start = time.perf_counter()
        solution = reference.solve(**refinement)
        values.append(solution(x, y))
        seconds.append(round(time.perf_counter() - start, 1))
    differences = [by_group(reference, coarse, fine) for coarse, fine in pairwise(values)]
    first = next(iter(differences[-1].values()))
    require({f"{reference.name}, the last two refinements (relative L2)": (first, reference.allowed)})
    if reference.stored:
        columns = dict(zip(reference.fields, values[-1].T, strict=True))
        np.savez_compressed(Path(__file__).with_name(f"{reference.name}.npz"), x=x, y=y, **columns)
    return {
        "command": f"python -m mask_pinns.problems.library.shapes.references.{reference.module or reference.name}"
        " --compare <folder of PINNacle's data> --record benchmarks/results/references.json",
        "method": reference.method,
        "points": len(x),
        "refinements": [dict(r) for r in reference.refinements],
        "seconds": seconds,
        "relative L2 difference between successive refinements": differences,
        **(reference.checks(solution, x, y) if reference.checks else {}),
        "relative L2 difference to others' data": others(reference, folder, solution) if folder else {},
    }


def make(*references: Reference, words: Sequence[str] | None = None) -> None:
    """Makes the references with the options of the command line."""
    parser = argparse.ArgumentParser(description=references[0].method)
    parser.add_argument("--compare", type=Path, metavar="FOLDER", help="others' data of the problem")
    parser.add_argument("--record", type=Path, metavar="FILE", help="JSON file to which the figures are added")
    options = parser.parse_args(words)
    for reference in references:
        figures = measured(reference, options.compare)
        print(json.dumps({reference.name: figures}, indent=1))
        if options.record:
            record = json.loads(options.record.read_text()) if options.record.exists() else {}
            record[reference.name] = figures
            options.record.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n")
