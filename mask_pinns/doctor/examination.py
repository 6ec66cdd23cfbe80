"""The findings of the doctor: an inventory, and trials of the derivatives and of the compiler on every device."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import torch

from mask_pinns.callbacks.summary import commit, versions
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.memory import available_memory
from mask_pinns.networks import NETWORKS
from mask_pinns.objective import Objective
from mask_pinns.objective.compilation import compiled_loss
from mask_pinns.problems.loading import make_problem
from mask_pinns.process.machine import described

OPTIONAL = {"ngsolve": "references", "shapely": "shapes", "trimesh": "shapes", "meshio": "shapes", "pandas": "studies"}
"""Packages that some commands need, with the extra that brings them."""
AGREES = 1e-10
"""Largest relative difference of derivatives in float64."""

Finding = tuple[str, str]


def devices() -> list[torch.device]:
    """The CPU, and every accelerator that PyTorch can use here."""
    found = [torch.device("cpu")]
    found += [torch.device("cuda", i) for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    return found + ([torch.device("mps")] if torch.backends.mps.is_available() else [])


def inventory() -> Iterator[Finding]:
    """Names and texts: nothing here takes longer than a look."""
    known = versions()
    yield "mask-pinns", f"{known.pop('mask-pinns')}, {_origin()}"
    yield "python", f"{known.pop('python')} on {platform.platform()}"
    yield "packages", ", ".join(f"{name} {number}" for name, number in known.items())
    missing = sorted({extra for name, extra in OPTIONAL.items() if find_spec(name) is None})
    yield "extras", f"not installed: {', '.join(missing)}" if missing else "all installed"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "cpu", f"{cores} cores for this process; threads: {described(torch.get_num_threads())}"
    for device in devices()[1:]:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
        yield str(device), f"{name}, {_memory(device)} free"
    yield "memory", f"{_memory(torch.device('cpu'))} free"
    compilers = [c for c in ("g++", "clang++", "cl") if shutil.which(c)]
    yield "compiler", ", ".join(compilers) or "none: torch.compile needs one on a CPU (training works without)"


def trials() -> Iterator[tuple[str, str, bool]]:
    """Names, texts, and whether all is well, for every device."""
    for device in devices():
        if device.type == "mps":
            yield "derivatives", "not tried on mps, which has no float64", True
        else:
            yield "derivatives", *_tried(derivatives_differ, device, AGREES, "jets and autograd differ by")
        yield "compiled", *_tried(compiled_differs, device, 1e-3, "compiled and eager losses differ by")


def _tried(trial: Callable[[torch.device], float], device: torch.device, limit: float, what: str) -> tuple[str, bool]:
    """What a trial gave on a device. A compiler that is missing is no fault; anything else that is raised is."""
    start = time.perf_counter()
    try:
        apart = trial(device)
    except ValueError as error:
        return f"not on {device}: {error} (training works without)", True
    except Exception as error:  # a broken driver, too little memory, ...: each fails in its own way
        return f"fails on {device}: {type(error).__name__}: {' '.join(str(error).split())[:200]}", False
    return f"{what} {apart:.0e} on {device}, {time.perf_counter() - start:.0f} s", apart < limit


def derivatives_differ(device: torch.device) -> float:
    """The largest relative difference between derivatives of a masked network by jets and by nested autograd."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = NETWORKS["masked"](2, 1, 16, 2, "gelu").to(device, torch.float64)
        x = torch.rand(50, 2, dtype=torch.float64).to(device)
    derivatives = Derivatives(("xxxx", "tt", "xt"))
    mine, other = (engine(network, x, "xt", derivatives) for engine in (by_jet, by_autograd))
    apart = [(mine.streams.get(m, 0.0) - s).abs().max() / s.abs().max() for m, s in other.streams.items()]
    return float(torch.stack(apart).detach().max())  # NaN, if one is


def compiled_differs(device: torch.device) -> float:
    """The relative difference of a compiled loss. Raises ValueError if nothing can be compiled here."""
    objective = Objective(make_problem("wave"))
    network = NETWORKS["masked"](2, 1, 8, 1, "gelu").to(device)
    points = PointsDataModule(objective.problem, points=100).draw(0, device=device)
    compiled = compiled_loss(objective, network, points, required=True)
    losses = [float(loss(network, points)[0].detach()) for loss in (compiled, objective.loss)]
    return abs(losses[0] - losses[1]) / abs(losses[1])


def _origin() -> str:
    """Where the code comes from."""
    folder, here = Path(__file__).parents[1], commit()
    return f"commit {here} in {folder.parent}" if here else f"installed in {folder}"


def _memory(device: torch.device) -> str:
    free = available_memory(device)
    return "unknown" if free is None else f"{free / 2**30:.1f} GiB"
