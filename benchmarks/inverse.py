"""Unknowns found from measurements: errors and standard deviations over many seeds, and the recipes' results.

    python benchmarks/inverse.py                      everything (an hour)
    python benchmarks/inverse.py cooling coverage     these; stored results of others stay
    python benchmarks/inverse.py --table              the stored results

cooling    200 measurements with 1 % noise, 20 draws: k and its standard deviation, and both by a direct fit of k
           to the exact solution, for comparison
coverage   the same with 50 measurements, 100 draws: how often intervals of 1.96 standard deviations hold the truth
others     each recipe with seeds 0, 1, 2, with the measurements of the package
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mask_pinns import Box, Data, Dirichlet, Initial, MaskPINN, Problem, Unknown, recipe_for
from mask_pinns.objective.posterior import described_unknowns

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "inverse.json"
K = 0.1
STORED_KEYS = ("seed", "unknowns", "errors", "loss", "val_loss", "steps", "wall_s", "parameters", "commit")
RECIPES: dict[str, list[str]] = {
    "lorenz_inverse": [],
    "burgers_inverse": [],
    "burgers_inverse_noisy": ["--problem.noise", "0.01"],
    "robin_inverse": [],
    "poisson_inverse": [],
    "heat_inverse": [],
}


def measured(seed: int, n: int) -> dict[str, np.ndarray]:
    """Measurements of u = exp(-K pi^2 t) sin(pi x) with noise of standard deviation 0.01."""
    draw = np.random.default_rng(seed)
    x, t = draw.random((2, n))
    u = np.exp(-K * np.pi**2 * t) * np.sin(np.pi * x) + 0.01 * draw.normal(size=n)
    return {"x": x, "t": t, "u": u}


def direct(table: dict[str, np.ndarray]) -> tuple[float, float]:
    """k and its standard deviation from least squares with the exact solution (Gauss-Newton in one number)."""
    k, x, t = K, table["x"], table["t"]
    for _ in range(50):
        u = np.exp(-k * np.pi**2 * t) * np.sin(np.pi * x)
        slope = -(np.pi**2) * t * u
        k += slope @ (table["u"] - u) / (slope @ slope)
    return float(k), float(0.01 / np.sqrt(slope @ slope))


def cooling_problem(table: dict[str, np.ndarray]) -> Problem:
    conditions = (
        Initial(u=lambda p: torch.sin(math.pi * p.x)),
        Dirichlet("x", u=0.0),
        Data(table, noise=0.01),
    )
    body = {
        "domain": Box(x=(0.0, 1.0), t=(0.0, 1.0)),
        "derivatives": ("t", "xx"),
        "unknowns": (Unknown("k", start=1.0, positive=True),),
        "conditions": conditions,
        "residual": lambda self, p, u, k: u.t - k * u.xx,
    }
    return type("Cooling", (Problem,), body)()


def one_draw(seed: int, n: int) -> dict[str, Any]:
    """A run of the default recipe on one draw of the measurements."""
    table, start = measured(seed, n), time.perf_counter()
    small = {"network": {"width": 12, "blocks": 1}, "points": {"pde": 600}, "steps": 30}
    recipe = recipe_for(cooling_problem(table), seed=seed, **small)
    recipe.fit(accelerator="cpu", val_check_interval=5)
    module: MaskPINN = recipe.module
    found = described_unknowns(module.objective, module.network, lambda: recipe.data.draw(0, dtype=torch.float64))["k"]
    by_fit, std_by_fit = direct(table)
    seconds = time.perf_counter() - start
    return {
        "seed": seed, "k": found["value"], "std": found["std"], "direct": by_fit, "direct_std": std_by_fit,
        "seconds": round(seconds, 1),
    }  # fmt: skip


def recipe_run(name: str, seed: int) -> dict[str, Any]:
    """What is stored of a recipe's run."""
    config = name.removesuffix("_noisy")
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--config", config, "--seed", str(seed), "--folder", folder, "--name", "run", *RECIPES[name]]
        subprocess.run([sys.executable, str(ROOT / "train.py"), *flags], check=True, cwd=ROOT)
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text())
    return {key: summary[key] for key in STORED_KEYS}


def runs(name: str, seeds_of_recipes: list[int]) -> Iterator[dict[str, Any]]:
    """The results one after the other."""
    if name in RECIPES:
        yield from (recipe_run(name, seed) for seed in seeds_of_recipes)
        return
    seeds, n = {"cooling": (20, 200), "coverage": (100, 50)}[name]
    yield from (one_draw(seed, n) for seed in range(seeds))


def table(results: dict[str, Any]) -> str:
    """The results in words."""
    lines = []
    for name in ("cooling", "coverage"):
        if name in results:
            z = np.array([(r["k"] - K) / r["std"] for r in results[name]])
            ratio = np.array([r["std"] / r["direct_std"] for r in results[name]])
            seconds = np.median([r["seconds"] for r in results[name]])
            lines.append(
                f"{name}: of {len(z)} draws, {int((abs(z) < 1.96).sum())} within 1.96 standard deviations, "
                f"{int((abs(z) < 3).sum())} within 3; standard deviation over that of the direct fit "
                f"{ratio.min():.3f} to {ratio.max():.3f}; {seconds:.1f} s a run"
            )
    for name in RECIPES:
        for r in results.get(name, []):
            unknowns = ", ".join(f"{k} {entry['value']:.10g} +- {entry['std']}" for k, entry in r["unknowns"].items())
            errors = ", ".join(f"{f} {e['rel_l2']:.1e}" for f, e in r["errors"].items())
            lines.append(f"{name}, seed {r['seed']}: {unknowns} relative L2 {errors}; {r['wall_s']:.0f} s")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=["cooling", "coverage", *RECIPES, []], metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the recipes")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--table", action="store_true", help="print the stored results only")
    arguments = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    results = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for name in () if arguments.table else arguments.names or ["cooling", "coverage", *RECIPES]:
        for result in runs(name, arguments.seeds):  # each is stored at once, in place of an older one
            others = [old for old in results.get(name, []) if old["seed"] != result["seed"]]
            results[name] = sorted([*others, result], key=lambda r: int(r["seed"]))
            arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
