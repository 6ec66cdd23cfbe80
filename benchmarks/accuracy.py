"""Errors and training times of the recipes, for several seeds, into results/accuracy.json and a table.

    python benchmarks/accuracy.py                                all recipes, seeds 0 1 2 (hours)
    python benchmarks/accuracy.py --only wave burgers --seeds 0  these recipes; stored runs of other seeds stay
    python benchmarks/accuracy.py --table                        a table of the stored results, in Markdown, and their
                                                                 curves, results/accuracy.png

Each run is `python train.py --config configs/<recipe>.yaml --seed SEED` in a separate process; `default-<Problem>` is
`python train.py --problem benchmarks/unseen.py:<Problem>`, a problem on which nothing was tuned. Recorded: relative L2
and largest error of the final weights, seconds of training (validation and figures included), parameters, loss. Runs
end after their steps or at a loss; the known solution is used for the table alone, and never to choose anything.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "accuracy.json"
RECIPES = {p.stem: ["--config", str(p)] for p in sorted((ROOT / "configs").glob("*.yaml")) if p.stem != "default"} | {
    f"default-{name}": ["--problem", f"{ROOT / 'benchmarks/unseen.py'}:{name}"]
    for name in ("AdvectionDiffusion", "Fisher", "Poisson3D", "Schrodinger")
}
STORED_KEYS = ("seed", "rel_l2", "max_error", "loss", "steps", "wall_s", "s_per_step", "parameters", "optimizer",
               "dtype", "stop_reason", "device", "versions", "commit")  # fmt: skip
"""Keys of summary.json that are stored."""


def run(recipe: str, seed: int, folder: str) -> dict[str, Any]:
    """One run of a recipe: its summary, and the curve of relative L2 against steps."""
    name = f"{recipe}-{seed}"
    flags = [*RECIPES[recipe], "--seed", str(seed), "--folder", folder]
    subprocess.run([sys.executable, str(ROOT / "train.py"), *flags, "--name", name], check=True, cwd=ROOT)
    summary = json.loads((Path(folder) / name / "summary.json").read_text())
    with (Path(folder) / name / "metrics.csv").open(newline="") as file:
        curve = [(int(r["step"]), float(r["val/rel_l2"])) for r in csv.DictReader(file) if r.get("val/rel_l2")]
    return {key: summary[key] for key in STORED_KEYS} | {"curve": curve}


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    lines = [
        "| recipe | relative L2, median (worst) | max error, median | training | parameters | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for recipe, runs in sorted(results.items()):
        errors, worst = [r["rel_l2"] for r in runs], [r["max_error"] for r in runs]
        lines.append(
            f"| `{recipe}` | {statistics.median(errors):.1e} ({max(errors):.1e}) | {statistics.median(worst):.1e} "
            f"| {statistics.median([r['wall_s'] for r in runs]):.0f} s | {runs[0]['parameters']:,} "
            f"| {', '.join(str(r['seed']) for r in runs)} |"
        )
    return "\n".join(lines)


def draw(results: dict[str, Any]) -> Figure:
    """Error against training time, a panel for each recipe and a line for each seed."""
    columns = 4
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis, (recipe, runs) in zip(axes, sorted(results.items()), strict=False):
        for run in runs:
            steps, errors = zip(*(run["curve"] or [(0, float("nan"))]), strict=True)
            axis.plot([step * run["s_per_step"] for step in steps], errors, label=f"seed {run['seed']}")
        axis.legend(fontsize="x-small")
        axis.set(title=recipe, yscale="log", xlabel="s")
        axis.grid(alpha=0.3)
    for axis in axes[::columns]:
        axis.set_ylabel("relative L2 error")
    for axis in axes[len(results) :]:
        axis.set_axis_off()
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="only show what is stored")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for recipe in [] if arguments.table else arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            new = {seed: run(recipe, seed, folder) for seed in arguments.seeds}
        by_seed = {r["seed"]: r for r in results.get(recipe, [])} | new
        results[recipe] = [by_seed[seed] for seed in sorted(by_seed)]
        RESULT.write_text(json.dumps(results, indent=1) + "\n")  # after each recipe: an interrupt loses only one
    if results:
        draw(results).savefig(RESULT.with_suffix(".png"), dpi=80)
    print(table(results))


if __name__ == "__main__":
    main()
