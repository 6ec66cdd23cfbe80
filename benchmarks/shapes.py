"""Errors of the recipes on domains with shape, by field, against this package's references and others' data.

    python benchmarks/shapes.py                                all of them, seeds 0 1 2 (an hour)
    python benchmarks/shapes.py --only pipes --seeds 0         these; stored runs of other seeds stay
    python benchmarks/shapes.py --compare FOLDER               also against PINNacle's data, which are not ours

Each run is `python train.py --config configs/<recipe>.yaml --seed SEED` in a separate process. Errors are those of its
best weights, which are chosen by the loss at fresh points: relative L2 of each field, and of the velocities (u, v)
jointly. The known solution is used for the table alone, and never to choose anything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mask_pinns import MaskPINN

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "shapes.json"
OTHERS = {
    "pipes": "poisson_classic.npz",
    "poisson_boltzmann": "poisson_boltzmann2d.npz",
    "lid_cavity": "lid_driven_a4.npz",
    "back_step": "ns_0_obstacle.npz",
}
RECIPES = (*OTHERS, "l_shape", "plate", "heat_ball")
STORED_KEYS = ("seed", "rel_l2", "loss", "steps", "wall_s", "s_per_step", "parameters", "device", "versions", "commit")
"""Keys of summary.json that are stored; rel_l2 there is that of the last weights, of the worst field."""


def relative(values: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(values - true) / np.linalg.norm(true))


def by_field(fields: list[str], values: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Relative L2 of each field, and of the velocities jointly."""
    errors = {name: relative(values[:, i], true[:, i]) for i, name in enumerate(fields)}
    if {"u", "v"} < set(fields):
        errors["velocity"] = relative(values[:, :2], true[:, :2])
    return errors


def run(recipe: str, seed: int, others: Path | None) -> dict[str, Any]:
    """One run of a recipe: what is stored of its summary, and the errors of its best weights."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--config", str(ROOT / "configs" / f"{recipe}.yaml"), "--seed", str(seed), "--folder", folder]
        subprocess.run([sys.executable, str(ROOT / "train.py"), *flags, "--name", "run"], check=True, cwd=ROOT)
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text())
        module = MaskPINN.load_from_checkpoint(Path(folder) / "run" / "checkpoints" / "best.ckpt")
    problem = module.problem
    grid, fields = problem.evaluation(), list(problem.fields)
    errors = by_field(fields, module.predict(grid.points), grid.values.numpy())
    result = {key: summary[key] for key in STORED_KEYS} | {"errors": errors}
    if others and recipe in OTHERS:
        data = np.load(others / OTHERS[recipe])
        theirs = np.stack([data[name.lower()] for name in fields], 1)
        result["against_others"] = by_field(fields, module.predict(np.stack([data["x"], data["y"]], 1)), theirs)
    return result


def table(results: dict[str, Any]) -> str:
    """The results in Markdown: medians over seeds."""
    lines = ["| recipe | relative L2 | training | parameters | seeds |", "|---|---|---|---|---|"]
    for recipe, runs in results.items():
        names = runs[0]["errors"]
        errors = ", ".join(f"{n} {statistics.median(r['errors'][n] for r in runs):.1e}" for n in names)
        seconds = statistics.median(r["wall_s"] for r in runs)
        seeds = ", ".join(str(r["seed"]) for r in runs)
        lines.append(f"| `{recipe}` | {errors} | {seconds:.0f} s | {runs[0]['parameters']:,} | {seeds} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=RECIPES, metavar="RECIPE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--compare", type=Path, metavar="FOLDER", help="PINNacle's data")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--table", action="store_true", help="print the stored results only")
    arguments = parser.parse_args(argv)
    results = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for seed in () if arguments.table else arguments.seeds:
        for recipe in arguments.only:
            kept = [r for r in results.get(recipe, []) if r["seed"] != seed]
            results[recipe] = sorted([*kept, run(recipe, seed, arguments.compare)], key=lambda r: r["seed"])
            arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
