"""Checks of what differs on a GPU: each prints a line of JSON with its figures, and says whether it holds.

python benchmarks/gpu/checks.py --accelerator cpu jets compiled
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mask_pinns import Objective, PointsDataModule  # noqa: E402
from mask_pinns.doctor.examination import AGREES, derivatives_differ  # noqa: E402
from mask_pinns.networks import NETWORKS  # noqa: E402
from mask_pinns.objective.compilation import compiled_loss  # noqa: E402
from mask_pinns.problems.loading import make_problem  # noqa: E402

SMALL = ["--width", "16", "--blocks", "2", "--points", "500"]


def jets(device: torch.device) -> dict[str, Any]:
    """All derivatives up to order four of a masked network, by jets and by nested autograd, in float64."""
    worst = derivatives_differ(device)
    return {"largest relative difference": worst, "holds": worst < AGREES}


def compiled(device: torch.device) -> dict[str, Any]:
    """Loss and gradient of the compiled step against the eager one, at three sets of points, in float32."""
    problem = make_problem("wave")
    network = NETWORKS["masked"](2, 1, 32, 2, "gelu").to(device)
    objective, data = Objective(problem), PointsDataModule(problem, points=1000)
    fast = compiled_loss(objective, network, data.draw(0, device=device), required=True)
    apart = []
    for step in range(3):
        points = data.draw(step, device=device)
        gradients = []
        for loss in (fast, objective.loss):
            network.zero_grad()
            value = loss(network, points)[0]
            value.backward()
            gradients.append(
                torch.cat([value.detach().reshape(1), *(p.grad.reshape(-1) for p in network.parameters())])
            )
        apart.append((gradients[0] - gradients[1]).norm() / gradients[1].norm())
    worst = float(torch.stack(apart).max())  # NaN, if one is
    return {"largest relative difference": worst, "holds": worst < 1e-4}


def trained(device: torch.device, folder: str, name: str, *words: str) -> dict[str, torch.Tensor]:
    """The weights after a run of train.py."""
    accelerator = "gpu" if device.type == "cuda" else "cpu"
    flags = [*SMALL, *words, "--accelerator", accelerator, "--folder", folder, "--name", name]
    done = subprocess.run([sys.executable, str(ROOT / "train.py"), *flags], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(flags)}: {done.stderr.strip().splitlines()[-1:]}")
    return weights(Path(folder) / name)


def weights(run: Path) -> dict[str, torch.Tensor]:
    content = torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    return {k: v for k, v in content["state_dict"].items() if v.is_floating_point()}


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """The largest difference of weights, relative to the largest weight of the same tensor."""
    return float(
        torch.stack([((a[k] - b[k]).abs().max() / b[k].abs().max().clamp(min=1e-30)).double() for k in b]).max()
    )


def bursts(device: torch.device) -> dict[str, Any]:
    """Forty Adam steps, ten in a batch of Lightning's loop, against one in each."""
    with tempfile.TemporaryDirectory() as folder:
        every = ["--log_every", "10", "--validate_every", "20", "--statistics_every", "20", "--figures_every", "40"]
        words = ["--optimizer", "adam", "--steps", "40", *every]
        apart = difference(*(trained(device, folder, f"b{b}", *words, "--burst", b) for b in ("10", "1")))
    return {"difference of the weights": apart, "holds": apart < 1e-6}


def gauss_newton(device: torch.device) -> dict[str, Any]:
    """Eight steps of Gauss-Newton in float64 on this device and on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--optimizer", "gauss_newton", "--steps", "8", "--precision", "64"]
        here = trained(device, folder, "here", *words)
        cpu = trained(torch.device("cpu"), folder, "cpu", *words)
    apart = difference(here, cpu)
    return {"difference of the weights to the CPU's": apart, "holds": apart < 1e-5}


def resume(device: torch.device) -> dict[str, Any]:
    """Thirty steps at once, and twenty with ten more after a resume: the same bits."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--optimizer", "adam", "--log_every", "10", "--validate_every", "10"]
        whole = trained(device, folder, "whole", *words, "--steps", "30")
        trained(device, folder, "parts", *words, "--steps", "20")
        more = ["--resume", str(Path(folder) / "parts"), "--steps", "30"]
        subprocess.run([sys.executable, str(ROOT / "train.py"), *more], cwd=ROOT, capture_output=True, check=True)
        apart = difference(weights(Path(folder) / "parts"), whole)
    return {"difference of the weights": apart, "holds": apart == 0}


def one_process_ddp(device: torch.device) -> dict[str, Any]:
    """Ten steps under DDP with one process (NCCL on a GPU, gloo on a CPU) against none."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--optimizer", "adam", "--steps", "10"]
        alone = trained(device, folder, "alone", *words, "--devices", "1")
        ddp = trained(device, folder, "ddp", *words, "--devices", "1", "--strategy", "ddp")
    apart = difference(ddp, alone)
    return {"difference of the weights": apart, "holds": apart < 1e-5}


CHECKS: dict[str, Callable[[torch.device], dict[str, Any]]] = {
    f.__name__: f for f in (jets, compiled, bursts, gauss_newton, resume, one_process_ddp)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    options = parser.parse_args()
    device = torch.device("cuda" if options.accelerator == "gpu" else "cpu")
    for name in options.checks or CHECKS:
        start = time.perf_counter()
        try:
            found = CHECKS[name](device)
        except Exception as error:  # a check that breaks says so, and the others follow
            found = {"holds": False, "error": f"{type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps({"check": name, **found, "seconds": round(time.perf_counter() - start, 1)}), flush=True)


if __name__ == "__main__":
    main()
