"""Time of one full training step (drawing points, loss, gradient, Adam): ours, nested autograd and other packages.

    python benchmarks/step_time.py                                  the table of the README, on this machine
    python benchmarks/step_time.py --only wave_64x3 --rounds 20
    python benchmarks/step_time.py --peers PYTHON [PYTHON ...]      interpreters with DeepXDE, PINA or JAX installed

Ours compiled, ours eager, and nested autograd in eager PyTorch (as in the published code: a plain torch network and
torch.autograd.grad, both written here) run in turn, A B C A B C, on the same points, and their losses must agree
before anything is timed. Peers run in turn with ours, each in a separate process (peers/).
step_growth.py measures how the cost grows with width, points and order.
Output: results/step_time-<device>.json, with medians and ratios, the rate relative to matrix products alone at these
shapes on this machine, peak memory, versions and commit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # to import the package of this checkout below

from mask_pinns import NETWORKS, Box, Initial, Objective, Problem  # noqa: E402
from mask_pinns.callbacks.summary import commit, device_name, versions  # noqa: E402
from mask_pinns.datamodules import PointsDataModule  # noqa: E402
from mask_pinns.objective.compilation import compiled_loss, flops  # noqa: E402
from mask_pinns.problems.loading import make_problem  # noqa: E402


class ThirdOrder(Problem):
    """The KdV residual, u_t + u u_x + 0.022^2 u_xxx; u(x, 0) = cos pi x: the third-order case."""

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xxx")
    conditions = (Initial(u=lambda p: torch.cos(pi * p.x)),)

    def residual(self, p, u):
        return u.t + u * u.x + 0.022**2 * u.xxx


@dataclass
class Work:
    """One line of the table: what is trained, and the goal for the speedup over nested autograd."""

    problem: Problem
    width: int
    blocks: int
    points: dict[str, int]
    goal: float
    activation: str = "gelu"
    times: dict[str, list[float]] = field(default_factory=dict)


WORKS: dict[str, Work] = {
    "wave_64x3": Work(make_problem("wave"), 64, 3, {"pde": 5000, "initial": 400, "dirichlet_x": 400}, 7.0),
    "convection_256x6": Work(make_problem("convection"), 256, 6, {"pde": 5000, "initial": 200, "periodic_x": 200}, 2.5),
    "helmholtz_128x5": Work(make_problem("helmholtz"), 128, 5, {"pde": 10_000, "boundary": 100}, 4.0),
    "kdv_128x2": Work(ThirdOrder(), 128, 2, {"pde": 5000, "initial": 500}, 6.0, "tanh"),
}


class Published(nn.Module):
    """The masked residual network in plain torch, as in the published code, with the parameters of another network."""

    def __init__(self, network: Any, activation: str) -> None:
        super().__init__()
        self.network = network
        self.function = {"gelu": nn.functional.gelu, "tanh": torch.tanh}[activation]

    def layer(self, layer: Any, h: Tensor) -> Tensor:
        z = nn.functional.linear(h, layer[0].weight, layer[0].bias)
        return self.function(z) * (1 - torch.exp(-((layer[1].alpha * z) ** 2)))

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(self.network.input, x)
        for block in self.network.blocks:
            h = h + self.layer(block[1], self.layer(block[0], h))
        return nn.functional.linear(h, self.network.output.weight, self.network.output.bias)


Step = Callable[[int], Tensor]


def steps(work: Work, device: torch.device) -> dict[str, Step]:
    """The contestants in this process, each a function of the step's number; asserts that their losses agree."""
    data = PointsDataModule(work.problem, points=work.points)
    contestants: dict[str, Step] = {}
    losses = {}
    for name in ("nested", "eager", "compiled"):
        torch.manual_seed(0)
        network = NETWORKS["masked"](2, 1, work.width, work.blocks, work.activation).to(device)
        objective = Objective(work.problem, derivatives="autograd" if name == "nested" else "jet")
        model = Published(network, work.activation) if name == "nested" else network
        first = data.draw(0, device=device)
        loss = compiled_loss(objective, model, first, required=True) if name == "compiled" else objective.loss
        losses[name] = float(loss(model, first)[0])
        contestants[name] = _step(loss, model, data, device)
    for name, value in losses.items():
        assert abs(value - losses["nested"]) < 1e-4 * abs(losses["nested"]), (name, losses)
    return contestants


def _step(loss: Any, model: nn.Module, data: PointsDataModule, device: torch.device) -> Step:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step(i: int) -> Tensor:
        points = data.draw(i, device=device)
        optimizer.zero_grad()
        value = loss(model, points)[0]
        value.backward()
        optimizer.step()
        return value

    return step


def timed(step: Step, i: int, device: torch.device) -> float:
    """Seconds of one step, the device's work included."""
    start = time.perf_counter()
    step(i)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def gemm_floor(work: Work, device: torch.device) -> tuple[float, float]:
    """Seconds that the matrix products of a step take alone at these shapes, and the FLOP/s that they reach.

    Every stream through every layer: x W^T forward, g W and g^T x backward (the first layer's g W is not needed,
    but counted). Medians of ten.
    """
    objective = Objective(work.problem)
    shapes = [(2, work.width), *[(work.width, work.width)] * (2 * work.blocks), (work.width, 1)]
    total, operations = 0.0, 0.0
    for name, n in PointsDataModule(work.problem, points=work.points).counts.items():
        rows, streams = n * len(objective.places[name]), len(objective.needs[name].derivatives.indices)
        for inputs, outputs in set(shapes):
            x, w, g = (torch.randn(*s, device=device) for s in ((rows, inputs), (outputs, inputs), (rows, outputs)))
            repeats = []
            for _ in range(10):
                repeats.append(timed(lambda _, x=x, w=w, g=g: (x @ w.T, g @ w, g.T @ x)[0], 0, device))
            count = streams * shapes.count((inputs, outputs))
            total += statistics.median(repeats) * count
            operations += 6.0 * rows * inputs * outputs * count
    return total, operations / total


def peak_memory(name: str, contestant: str, points: int) -> float:
    """Peak memory of a process that takes three steps, minus that of one that only imports and builds, in MB."""
    sizes = []
    for count in (0, 3):
        code = f"import step_time as s; s.only_steps({name!r}, {contestant!r}, {points}, {count})"
        process = subprocess.run([sys.executable, "-c", code], cwd=HERE, check=True, capture_output=True, text=True)
        sizes.append(float(process.stdout.split()[-1]))
    return sizes[1] - sizes[0]


def only_steps(name: str, contestant: str, points: int, count: int) -> None:
    """Takes `count` steps of one contestant at a number of collocation points; prints its peak memory in MB."""
    work = WORKS[name]
    data = PointsDataModule(work.problem, points=work.points | {"pde": points})
    network = NETWORKS["masked"](2, 1, work.width, work.blocks, work.activation)
    objective = Objective(work.problem, derivatives="autograd" if contestant == "nested" else "jet")
    model: nn.Module = Published(network, work.activation) if contestant == "nested" else network
    loss: Any = objective.loss
    if contestant == "compiled":  # what the compiler allocates is not part of the step
        loss = compiled_loss(objective, network, data.draw(0), required=True) if count else loss
    step = _step(loss, model, data, torch.device("cpu"))
    for i in range(count):
        step(i)
    status = Path("/proc/self/status").read_text()  # not ru_maxrss, which starts from that of the parent
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def peers(pythons: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds per step on the wave, 64 x 3: ours and each peer in turn, each in a process, round by round."""
    scripts = {"ours": (sys.executable, HERE / "peers" / "ours.py")}
    for script in ("jax", "deepxde", "pina"):
        for python in pythons:
            module = {"jax": "jax, optax"}.get(script, script)
            if subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0:
                scripts.setdefault(script, (python, HERE / "peers" / f"{script}_wave.py"))
    times: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, (python, script) in scripts.items():
            process = subprocess.run([python, str(script)], capture_output=True, text=True)
            if process.returncode:
                print(f"  {name} failed: {process.stderr.strip().splitlines()[-1]}")
                continue
            times[name].append(json.loads(process.stdout.splitlines()[-1])["s_per_step"])
            print(f"  {name}: {times[name][-1] * 1e3:.1f} ms", flush=True)
    return {name: values for name, values in times.items() if values}


def measure(name: str, rounds: int, device: torch.device) -> dict[str, Any]:
    """All results of one line of the table."""
    work = WORKS[name]
    contestants = steps(work, device)
    for step in contestants.values():
        timed(step, 0, device)
    times: dict[str, list[float]] = {key: [] for key in contestants}
    for i in range(rounds):
        for key, step in contestants.items():
            times[key] += [timed(step, i, device) for _ in range(1 if key == "nested" else 3)]
    seconds = {key: statistics.median(values) for key, values in times.items()}
    floor, rate = gemm_floor(work, device)
    network = NETWORKS["masked"](2, 1, work.width, work.blocks)
    points = PointsDataModule(work.problem, points=work.points).draw(0)
    result = {
        "seconds": seconds,
        "against_nested": seconds["nested"] / seconds["compiled"],
        "goal": work.goal,
        "gemm_floor_s": floor,
        "over_gemm_floor": seconds["compiled"] / floor,
        "gemm_gflops": rate / 1e9,
        "achieved_gflops": flops(Objective(work.problem), network, points) / seconds["compiled"] / 1e9,
        "rounds": rounds,
    }
    print(
        f"{name}: nested {seconds['nested'] * 1e3:.1f} ms, eager jets {seconds['eager'] * 1e3:.1f}, compiled "
        f"{seconds['compiled'] * 1e3:.1f}: {result['against_nested']:.1f}x (goal {work.goal}x); "
        f"{result['over_gemm_floor']:.2f} times its matrix products at {result['gemm_gflops']:.0f} GFLOP/s",
        flush=True,
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=WORKS, default=list(WORKS), help="lines of the table")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--peers", nargs="*", default=[], metavar="PYTHON", help="interpreters with peers installed")
    parser.add_argument("--memory_points", type=int, default=50_000, help="0 leaves the memory out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="in place of results/step_time-<device>.json")
    parser.add_argument("--accelerator", choices=("auto", "gpu", "cpu"), default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    automatic = "gpu" if torch.cuda.is_available() else "cpu"
    device = torch.device("cuda" if (arguments.accelerator.replace("auto", automatic)) == "gpu" else "cpu")
    path = arguments.out or HERE / "results" / f"step_time-{device.type}.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"works": {}}
    for name in arguments.only:
        result["works"][name] = measure(name, arguments.rounds, device)
    if arguments.memory_points and device.type == "cpu":
        memory = {c: peak_memory("wave_64x3", c, arguments.memory_points) for c in ("nested", "eager", "compiled")}
        result["memory_mb"] = {"points": arguments.memory_points, **memory}
        print(f"peak memory of a step at {arguments.memory_points:,} points, MB: {memory}")
    if arguments.peers:
        times = peers(arguments.peers, 3)
        medians = {name: statistics.median(values) for name, values in times.items()}
        ratios = {name: value / medians["ours"] for name, value in medians.items()}
        result["peers"] = {"seconds": medians, "against_ours": ratios, "rounds": 3}
        print("  " + ", ".join(f"{name} {ratio:.1f}x ours" for name, ratio in ratios.items()))
    result |= {"device": device_name(device), "versions": versions(), "commit": commit()}
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
