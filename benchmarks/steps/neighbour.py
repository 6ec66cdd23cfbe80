"""The published wave step beside a busy process, with threads that wait as torch's do and as ours do; and train.py's.

    python benchmarks/steps/neighbour.py                 three rounds; leave the machine alone meanwhile
    python benchmarks/steps/neighbour.py --rounds 5

Each figure is the median of 60 compiled steps (points, loss, gradient, Adam; configs/paper/wave.yaml) in a process of
its own, alone and beside a loop in Python on one core. `train.py` takes 1,000 steps with logs, validation, statistics
and figures at their default intervals: the step with its loop, points and logs, and the whole training (without the
compilation) over its steps. All run in turn, round by round. Output: results/neighbour-cpu.json.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RESULT = ROOT / "benchmarks" / "results" / "neighbour-cpu.json"
sys.path.insert(0, str(ROOT))

from mask_pinns.process.machine import KEEPING, WAITING, prepare  # noqa: E402

PAPER = str(ROOT / "configs" / "paper" / "wave.yaml")


def bare_step() -> None:
    """In a process of its own: prints the median milliseconds of the bare step."""
    if sys.argv[-1] == "ours":
        prepare()
    import torch

    from mask_pinns import NETWORKS, Objective, PointsDataModule
    from mask_pinns.objective.compilation import compiled_loss
    from mask_pinns.problems.loading import make_problem

    torch.manual_seed(0)
    problem = make_problem("wave")
    network, objective = NETWORKS["masked"](2, 1, 64, 3, "gelu"), Objective(problem)
    data = PointsDataModule(
        problem, points={"pde": 5000, "initial": 400, "dirichlet_x": 400}, sampler="latin_hypercube"
    )
    loss = compiled_loss(objective, network, data.draw(0), required=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    times = []
    for i in range(70):
        begin = time.perf_counter()
        value, _ = loss(network, data.draw(i))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    print(1e3 * statistics.median(times[10:]))


def clean() -> dict[str, str]:
    """The environment without what a user may have set for threads and memory."""
    return {k: v for k, v in os.environ.items() if k not in (*WAITING, *KEEPING)}


def bare(how: str) -> float:
    words = [sys.executable, __file__, "--step", how]
    return float(subprocess.run(words, env=clean(), check=True, stdout=subprocess.PIPE, text=True).stdout)


def trained(steps: int = 1000) -> dict[str, float]:
    """Milliseconds of a step of `train.py`, and of its whole training over the steps."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--config", PAPER, "--compile", "on", "--steps", str(steps), "--folder", folder, "--name", "run"]
        words = [sys.executable, str(ROOT / "train.py"), *words]
        subprocess.run(words, env=clean(), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text())
    whole = (summary["wall_s"] - summary["compile_s"]) / steps
    return {"train.py alone": 1e3 * summary["s_per_step"], "train.py alone, with looks": 1e3 * whole}


@contextmanager
def neighbour() -> Iterator[None]:
    """A process that keeps one core busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            yield
        finally:
            busy.kill()


def one_round() -> dict[str, float]:
    found = {f"{how} alone": bare(how) for how in ("torch", "ours")}
    found |= trained()
    with neighbour():
        found |= {f"{how} beside a neighbour": bare(how) for how in ("torch", "ours")}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--step", choices=("torch", "ours"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        bare_step()
        return
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append(one_round())
        print(json.dumps(rounds[-1]), flush=True)
    ratios = {
        "ours beside a neighbour / alone": [r["ours beside a neighbour"] / r["ours alone"] for r in rounds],
        "torch beside a neighbour / alone": [r["torch beside a neighbour"] / r["torch alone"] for r in rounds],
        "ours / torch, alone": [r["ours alone"] / r["torch alone"] for r in rounds],
        "train.py / bare, alone": [r["train.py alone"] / r["ours alone"] for r in rounds],
        "train.py with looks / bare, alone": [r["train.py alone, with looks"] / r["ours alone"] for r in rounds],
    }
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    result = {"milliseconds": rounds, "median ratios": medians, "cores": os.cpu_count()}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
