"""Growth of a step's cost with width, points and order, and speed and error of lower precisions.

    python benchmarks/step_growth.py                    both; about ten minutes on two CPU cores
    python benchmarks/step_growth.py --only precisions

The contestants are those of step_time.py: nested autograd in eager PyTorch, jets eager, jets compiled.
Output: results/step_growth-<device>.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import torch
from step_time import WORKS, ThirdOrder, Work, steps, timed
from torch import Tensor

from mask_pinns import NETWORKS, Objective
from mask_pinns.callbacks.summary import commit, device_name, versions
from mask_pinns.datamodules import PointsDataModule

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
RESULT = Path(__file__).parent / "results" / f"step_growth-{DEVICE.type}.json"


def save(name: str, results: dict[str, Any]) -> None:
    """Writes the results of a study into the file of results, in which others stay."""
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    machine = {"device": device_name(DEVICE), "versions": versions(), "commit": commit()}
    RESULT.write_text(json.dumps(result | {name: results} | machine, indent=2) + "\n")


class FirstOrder(ThirdOrder):
    """u_t + u u_x."""

    derivatives = ("t", "x")

    def residual(self, p, u):
        return u.t + u * u.x


class SecondOrder(ThirdOrder):
    """u_t + u u_x - 0.01 u_xx."""

    derivatives = ("t", "xx")

    def residual(self, p, u):
        return u.t + u * u.x - 0.01 * u.xx


def growth(rounds: int, device: torch.device) -> dict[str, Any]:
    """Seconds of a step against width, points and order, each varied alone from 64 x 3, 5000 points, order 2."""
    works: dict[str, Work] = {}
    for width in (16, 64, 256):
        works[f"width {width}"] = Work(SecondOrder(), width, 3, {"pde": 5000, "initial": 500}, 0.0)
    for points in (1000, 10_000, 100_000):
        works[f"points {points}"] = Work(SecondOrder(), 64, 3, {"pde": points, "initial": 500}, 0.0)
    for order, problem in ((1, FirstOrder()), (3, ThirdOrder())):
        works[f"order {order}"] = Work(problem, 64, 3, {"pde": 5000, "initial": 500}, 0.0)
    works["width 1024"] = Work(SecondOrder(), 1024, 3, {"pde": 5000, "initial": 500}, 0.0)  # the longest, last
    results: dict[str, Any] = {}
    for name, work in works.items():
        contestants = steps(work, device)
        times: dict[str, list[float]] = {key: [] for key in contestants}
        for i in range(rounds + 1):  # the first is not counted
            for key, step in contestants.items():
                times[key].append(timed(step, i, device))
        results[name] = {key: statistics.median(values[1:]) for key, values in times.items()}
        print(f"  {name}: " + ", ".join(f"{key} {s * 1e3:.1f} ms" for key, s in results[name].items()), flush=True)
        save("growth", results)  # after each work, so that an interrupt loses only one
    return results


PRECISIONS: dict[str, tuple[str, torch.dtype | None]] = {
    "float32": ("highest", None),
    "high (TF32 on a GPU)": ("high", None),
    "medium (bfloat16 products)": ("medium", None),
    "bf16-mixed": ("highest", torch.bfloat16),
}
"""--matmul_precision and the dtype of autocast (--precision bf16-mixed), by name."""


def precisions(rounds: int, device: torch.device) -> dict[str, Any]:
    """Eager seconds of loss and gradient, and the relative error of the gradient against float64."""
    results: dict[str, Any] = {}
    for work_name in ("wave_64x3", "convection_256x6"):
        work = WORKS[work_name]
        torch.manual_seed(0)
        network = NETWORKS["masked"](2, 1, work.width, work.blocks, work.activation).to(device)
        points = PointsDataModule(work.problem, points=work.points).draw(0, device=device)
        objective = Objective(work.problem)
        reference = _gradient(objective, network.double(), {k: x.double() for k, x in points.items()})
        network.float()
        results[work_name] = {}
        for name, (products, lower) in PRECISIONS.items():
            torch.set_float32_matmul_precision(products)
            call = partial(_gradient, objective, network, points, lower)
            seconds = statistics.median([timed(lambda _, call=call: call(), 0, device) for _ in range(rounds + 1)][1:])
            error = float(torch.linalg.norm(call() - reference) / torch.linalg.norm(reference))
            results[work_name][name] = {"seconds": seconds, "gradient_error": error}
            print(f"  {work_name}, {name}: {seconds * 1e3:.1f} ms, gradient off by {error:.1e}", flush=True)
        torch.set_float32_matmul_precision("highest")
    return results


def _gradient(objective: Objective, network: Any, points: Any, lower: torch.dtype | None = None) -> Tensor:
    """The loss's gradient as one float64 vector."""
    with torch.autocast(points["pde"].device.type, lower, enabled=lower is not None):
        loss = objective.loss(network, points)[0]
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))]).double()


STUDIES = {"growth": growth, "precisions": precisions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.only:
        save(name, STUDIES[name](arguments.rounds, DEVICE))


if __name__ == "__main__":
    main()
