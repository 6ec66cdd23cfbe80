"""Errors and training times of the recipes, for several seeds, into results/accuracy.json and a table.

    python benchmarks/accuracy.py                                all recipes, seeds 0 1 2 (hours)
    python benchmarks/accuracy.py --only wave burgers --seeds 0  these recipes; stored runs of other seeds stay
    python benchmarks/accuracy.py --variants mask plain          with the mask, and the same without it
    python benchmarks/accuracy.py --before CHECKOUT              in turn with an older checkout and its own recipes
    python benchmarks/accuracy.py --table                        a table of the stored results, in Markdown, and their
                                                                 curves, results/accuracy.png

Each run is `python train.py --config configs/<recipe>.yaml --seed SEED` in a separate process; `default-<Problem>` is
`python train.py --problem benchmarks/unseen.py:<Problem>`, a problem on which nothing was tuned. Recorded: relative L2
and largest error of the final weights, seconds of training (validation and figures included), seconds to 1e-3, 1e-5 and
1e-7, how far the masks are open at the end (the mean of m(z) over units and points), parameters, loss. Runs end after
their steps or at a loss; the known solution is used for the table alone, and never to choose anything. A run in time
windows has an error as a whole only in its last window.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parent))  # this file is run as a script

from training_runs import panels, recorded, timed_curve, train

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "accuracy.json"
RECIPES = {p.stem: ["--config", str(p)] for p in sorted((ROOT / "configs").glob("*.yaml")) if p.stem != "default"} | {
    f"default-{name}": ["--problem", f"{ROOT / 'benchmarks/unseen.py'}:{name}"]
    for name in ("AdvectionDiffusion", "Fisher", "Poisson3D", "Schrodinger")
}
VARIANTS: dict[str, list[str]] = {"mask": [], "plain": ["--mask", "false"]}
"""Words that are added to a recipe's command; results of `plain` are stored as RECIPE without mask."""
LEVELS = (1e-3, 1e-5, 1e-7)
"""Relative errors to which the time is told."""


def run(recipe: str, seed: int, folder: str, root: Path = ROOT, variant: str = "mask") -> dict[str, Any]:
    """One run of a recipe, by this checkout or another one."""
    flags = [word.replace(str(ROOT), str(root)) for word in RECIPES[recipe]]
    out = train([*flags, *VARIANTS[variant], "--seed", str(seed)], Path(folder), f"{recipe}-{seed}", root)
    return recorded(out, masked=variant == "mask" and root == ROOT)


def seconds_to(run: dict[str, Any], level: float) -> float:
    """Seconds of training to a relative L2; infinite if it is not reached."""
    return min((seconds for seconds, error in timed_curve(run) if error <= level), default=math.inf)


def median_openness(runs: list[dict[str, Any]]) -> str:
    known = [run["openness"] for run in runs if run.get("openness") is not None]
    return f"{statistics.median(known):.2f}" if known else ""


def median_seconds(runs: list[dict[str, Any]], level: float) -> str:
    seconds = statistics.median(seconds_to(run, level) for run in runs)
    return f"{seconds:.0f}" if seconds < math.inf else "-"


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    lines = [
        "| recipe | relative L2, median (worst) | max error, median | training | s to 1e-3, 1e-5, 1e-7 | masks open "
        "| parameters | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for recipe, runs in sorted(results.items()):
        errors, worst = [r["rel_l2"] for r in runs], [r["max_error"] for r in runs]
        lines.append(
            f"| `{recipe}` | {statistics.median(errors):.1e} ({max(errors):.1e}) | {statistics.median(worst):.1e} "
            f"| {statistics.median([r['wall_s'] for r in runs]):.0f} s "
            f"| {', '.join(median_seconds(runs, level) for level in LEVELS)} "
            f"| {median_openness(runs)} "
            f"| {runs[0]['parameters']:,} "
            f"| {', '.join(str(r['seed']) for r in runs)} |"
        )
    return "\n".join(lines)


def draw(results: dict[str, Any]) -> Figure:
    """Error against training time, a panel for each recipe and a line for each seed."""
    figure, axes = panels(sorted(results), shared=True)
    for axis, (_, runs) in zip(axes, sorted(results.items()), strict=True):
        for run in runs:
            axis.plot(*zip(*timed_curve(run), strict=True), label=f"seed {run['seed']}")
        axis.legend(fontsize="x-small")
    return figure


def name(recipe: str, variant: str) -> str:
    """Under which name the results of a recipe are stored."""
    return recipe + {"mask": "", "plain": " without mask", "before": " before"}[variant]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["mask"])
    parser.add_argument("--before", type=Path, help="an older checkout, whose recipes run in turn with these")
    parser.add_argument("--table", action="store_true", help="only show what is stored")
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for recipe in [] if arguments.table else arguments.only:
        contestants = {name(recipe, variant): (ROOT, variant) for variant in arguments.variants}
        if arguments.before:
            contestants[name(recipe, "before")] = (arguments.before.resolve(), "mask")
        for seed in arguments.seeds:
            for key, (root, variant) in contestants.items():
                with tempfile.TemporaryDirectory() as folder:
                    new = run(recipe, seed, folder, root, variant)
                by_seed = {r["seed"]: r for r in results.get(key, [])} | {seed: new}
                results[key] = [by_seed[seed] for seed in sorted(by_seed)]
                RESULT.write_text(json.dumps(results, indent=1) + "\n")  # after each run: an interrupt loses only one
    if results:
        draw(results).savefig(RESULT.with_suffix(".png"), dpi=80)
    print(table(results))


if __name__ == "__main__":
    main()
