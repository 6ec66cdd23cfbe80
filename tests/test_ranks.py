"""Two processes take the steps that one process would take on the points of both."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mask_pinns.command_line import read
from mask_pinns.jacobian import Jacobian
from train import build

ROOT = Path(__file__).parent.parent
FLAGS = ["--width", "6", "--blocks", "1", "--points", "80", "--precision", "64", "--seed", "3"]
# Ten iterations in all: forty take a change of one rounding in the start (1e-16) to 3e-7, ten to 1e-13 (measured).
OPTIMIZERS = ["adam", "lbfgs", "[{optimizer: ssbroyden, max_iter: 5}]", "gauss_newton"]


class Both:
    """The loss of both ranks as one sum of squares, in one process."""

    rows = None

    def __init__(self, run: Any, network: Any, drawn_at: int) -> None:
        self.jacobian = Jacobian(run.module.objective, network)
        self.points = [run.data.draw(drawn_at, rank, 2, dtype=torch.float64) for rank in (0, 1)]

    def loss(self) -> torch.Tensor:
        return torch.stack([self.jacobian.objective.loss(self.jacobian.network, x)[0] for x in self.points]).mean()

    def blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x in self.points:
            for v, j in self.jacobian.blocks(x):
                yield v / 2**0.5, j / 2**0.5

    def total(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_ranks_equal_one_process_with_the_points_of_both(tmp_path: Path, optimizer: str) -> None:
    flags = [*FLAGS, "--optimizer", optimizer, "--steps", "2"]
    machine = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--folder", str(tmp_path)]
    done = subprocess.run([sys.executable, "train.py", *flags, *machine], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "wave-1/summary.json").read_text())["devices"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["wave-1"], "one run folder, rank 0's"

    run = build(read(flags)[1])
    network = copy.deepcopy(run.module.network).double()
    ((method, _),) = [phase.build(network.parameters()) for phase in run.module.schedule.phases]
    for step in range(2):
        drawn_at = step if optimizer in ("adam", "gauss_newton") else 0

        def closure(drawn_at: int = drawn_at) -> torch.Tensor:
            method.zero_grad()
            losses = [
                run.module.objective.loss(network, run.data.draw(drawn_at, rank, 2, dtype=torch.float64))[0]
                for rank in (0, 1)
            ]
            loss = torch.stack(losses).mean()
            loss.backward()
            return loss

        method.step((lambda at=drawn_at: Both(run, network, at)) if optimizer == "gauss_newton" else closure)
    saved = torch.load(tmp_path / "wave-1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(saved[f"network.{name}"], value, rtol=1e-9, atol=1e-9)
