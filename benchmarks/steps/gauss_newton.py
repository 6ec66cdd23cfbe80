"""Time of a Gauss-Newton step over that of its own matrix products and factorizations, here and in an older checkout.

    python benchmarks/steps/gauss_newton.py                                    this checkout
    python benchmarks/steps/gauss_newton.py --before CHECKOUT --rounds 3       in turn with an older one

Each run trains a recipe of this checkout by the command line for some steps, in a process of its own. Every step is
timed as a whole, and in it J'J, the factorizations for each damping, the products with J and the solutions with the
factors: the floor of the step. Leave the machine alone meanwhile. Output: results/gauss_newton_step.json, with medians
over the steps after the first two, and the ratios of this checkout to the older one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
RESULT = ROOT / "benchmarks" / "results" / "gauss_newton_step.json"
RECIPES = {name: ["--config", str(ROOT / "configs" / f"{name}.yaml")] for name in ("wave", "burgers", "kdv")}


def measure(words: list[str]) -> None:
    """In a process of its own: trains, and prints seconds of each step and of its floor."""
    import torch

    from mask_pinns.cli.main import main
    from mask_pinns.optim import gauss_newton, linear_solvers

    spent = {"floor": 0.0}
    steps: list[tuple[float, float]] = []

    def timed(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def wrapper(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            result = function(*arguments, **options)
            spent["floor"] += time.perf_counter() - begin
            return result

        setattr(owner, name, wrapper)

    for owner, name in (
        (linear_solvers, "_add_lower"),
        (linear_solvers, "_factorized"),
        (linear_solvers._Products, "jvp"),
        (linear_solvers._Products, "vjp"),
        (torch, "cholesky_solve"),
    ):
        timed(owner, name)
    step = gauss_newton.GaussNewton.step

    def whole(self: Any, closure: Any) -> Any:
        begin, before = time.perf_counter(), spent["floor"]
        loss = step(self, closure)
        steps.append((time.perf_counter() - begin, spent["floor"] - before))
        return loss

    gauss_newton.GaussNewton.step = whole  # type: ignore[method-assign]
    main(words)
    print(json.dumps({"steps": steps[2:], "threads": torch.get_num_threads()}))


def run(recipe: str, root: Path, steps: int) -> dict[str, float]:
    """Medians over the steps of one run."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*RECIPES[recipe], "--steps", str(steps), "--folder", folder]
        words += ["--windows", "1"] if "windows:" in (ROOT / "configs" / f"{recipe}.yaml").read_text() else []
        start = "from mask_pinns.process.machine import prepare; prepare()\n" if _prepares(root) else ""
        code = f"{start}import runpy, sys\nm = runpy.run_path({__file__!r})\nm['measure'](sys.argv[1:])"
        environment = os.environ | {"PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env=environment,
            cwd=root,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    whole, floor = zip(*found["steps"], strict=True)
    return {
        "step_ms": 1e3 * statistics.median(whole),
        "floor_ms": 1e3 * statistics.median(floor),
        "over_floor": statistics.median(w / f for w, f in found["steps"]),
        "threads": found["threads"],
    }


def _prepares(root: Path) -> bool:
    return (root / "mask_pinns" / "process" / "machine.py").is_file()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--before", type=Path, help="an older checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=14)
    arguments = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    checkouts = {"now": ROOT} | ({"before": arguments.before.resolve()} if arguments.before else {})
    for recipe in arguments.only:
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
        for _ in range(arguments.rounds):
            for name, root in checkouts.items():
                rounds[name].append(run(recipe, root, arguments.steps))
        medians = {n: {k: statistics.median(r[k] for r in runs) for k in runs[0]} for n, runs in rounds.items()}
        results[recipe] = medians
        if arguments.before:
            pairs = zip(rounds["before"], rounds["now"], strict=True)
            results[recipe]["speedup"] = statistics.median(b["step_ms"] / n["step_ms"] for b, n in pairs)
        RESULT.write_text(json.dumps(results, indent=1) + "\n")
        print(recipe, json.dumps(results[recipe]))


if __name__ == "__main__":
    main()
