"""Two processes take the steps that one process would take on the points of both.

The one process adds up each rank's part by itself, as two machines must: in another order a sum differs in its last
bit, and fifty steps of a quasi-Newton method can take one bit to the seventh digit (measured: forty of SSBroyden take
1e-16 to 3e-7).
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import two_ranks
from ranks import traced

from mask_pinns.cli.parser import read
from mask_pinns.cli.run import build
from mask_pinns.cli.training.record import Record
from mask_pinns.cli.training.sequence import Sequence
from mask_pinns.cli.training.whole import load_window
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.residual_squares import ResidualSquares
from mask_pinns.windows import blend

FLAGS = [
    "--width", "6", "--blocks", "1", "--points", "80", "--precision", "64", "--seed", "3", "--figures_every", "1000",
    "--statistics_record", "moments",
]  # fmt: skip
OPTIMIZERS = {
    "adam": "adam",
    "lbfgs": "[{optimizer: lbfgs, max_iter: 4}]",
    "bfgs": "[{optimizer: bfgs, max_iter: 4}]",
    "ssbfgs": "[{optimizer: ssbfgs, max_iter: 4}]",
    "ssbroyden": "[{optimizer: ssbroyden, max_iter: 4}]",
    "gauss_newton": "gauss_newton",
}
UNKNOWNS = ("adam", "gauss_newton")
"""Optimizers that train the problem `cooling`, with an unknown number and measurements; others the wave."""
STEPS = 10


class Meeting:
    """The mean over two "ranks", threads of this process: one runs at a time, they change places where they meet."""

    def __init__(self) -> None:
        self.sums: dict[int, torch.Tensor] = {}
        self.barrier, self.turn = threading.Barrier(2, timeout=60), threading.Lock()

    def mean(self, rank: int, x: torch.Tensor) -> torch.Tensor:
        self.sums[rank] = x
        self.turn.release()
        self.barrier.wait()
        mean = (self.sums[0] + self.sums[1]) / 2
        self.barrier.wait()
        self.turn.acquire()
        return mean

    def both(self, work: Callable[[int], Any]) -> list[Any]:
        """work(0) and work(1), together."""

        def in_turn(rank: int) -> Any:
            with self.turn:
                return work(rank)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(in_turn, (0, 1)))


def at_start(run: Any, network: Any, points: list[Any]) -> dict[str, torch.Tensor]:
    """Loss and gradient, the mean over the ranks' points, each rank's part by itself."""
    parts = []
    for x in points:
        loss, _ = run.module.objective.loss(network, x)
        gradient = torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True)
        parts.append((loss.detach(), torch.cat([g.flatten() for g in gradient])))
    (loss, gradient), (other_loss, other_gradient) = parts
    return {"loss": (loss + other_loss) / 2, "gradient": (gradient + other_gradient) / 2}


def by_least_squares(run: Any, draw: Callable[[int, int], Any]) -> tuple[Any, list[Any]]:
    """Gauss-Newton on the points of both ranks, each rank's sums by themselves as on two machines."""
    meeting = Meeting()

    def work(rank: int) -> tuple[Any, list[Any]]:
        network, method = fresh(run)
        jacobian, trace = Jacobian(run.module.objective, network), []
        for step in range(STEPS):
            trace.append(at_start(run, network, [draw(step, 0), draw(step, 1)]))
            squares = ResidualSquares(jacobian, draw(step, rank), over_ranks=partial(meeting.mean, rank))
            method.step(lambda squares=squares: squares)
        return network, trace

    return meeting.both(work)[0]


def by_gradients(run: Any, draw: Callable[[int, int], Any]) -> tuple[Any, list[Any]]:
    """An optimizer of loss and gradient on the points of both ranks: the mean of the ranks' losses."""
    network, method = fresh(run)
    trace: list[Any] = []

    def closure() -> torch.Tensor:
        method.zero_grad()
        halves = [run.module.objective.loss(network, x)[0] / 2 for x in points]
        for half in halves:
            half.backward()
        return sum(halves).detach()

    for step in range(STEPS):
        points = [draw(step, rank) for rank in (0, 1)]
        trace.append(at_start(run, network, points))
        method.step(closure)
    return network, trace


def fresh(run: Any) -> tuple[Any, Any]:
    """A copy of the run's network in double precision, and its optimizer."""
    network = copy.deepcopy(run.module.network).double()
    return network, run.module.schedule.phases[0].build(network.parameters())[0]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the ranks have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_ranks_equal_one_process_with_the_points_of_both(tmp_path: Path, optimizer: str, one_thread: None) -> None:
    """Loss and gradient at each of 10 steps to 1e-12 of the first, weights after them to 1e-9; no point is shared."""
    problem = "cooling" if optimizer in UNKNOWNS else "wave"
    flags = [
        *FLAGS,
        "--problem",
        problem,
        "--optimizer",
        OPTIMIZERS[optimizer],
        "--steps",
        str(STEPS),
        "--statistics_every",
        str(STEPS),
    ]
    machine = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--folder", str(tmp_path / "runs")]
    two_ranks(tmp_path / "streams", traced, str(tmp_path / "trace"), [*flags, *machine])
    assert json.loads((tmp_path / f"runs/{problem}-1/summary.json").read_text())["devices"] == 2
    assert [p.name for p in (tmp_path / "runs").iterdir()] == [f"{problem}-1"], "one run folder, rank 0's"

    traces = [torch.load(tmp_path / f"trace-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [len(trace) for trace in traces] == [STEPS, STEPS]
    run = build(read(flags)[1])
    resampled = run.module.resample != 0

    def draw(step: int, rank: int) -> Any:
        return run.data.draw(step if resampled else 0, rank, 2, dtype=torch.float64)

    network, expected = (by_least_squares if optimizer == "gauss_newton" else by_gradients)(run, draw)
    for step, (own, other, one) in enumerate(zip(*traces, expected, strict=True)):
        drawn = torch.cat([own["points"], other["points"]])
        assert len(drawn.unique(dim=0)) == len(drawn) == 80
        assert torch.equal(own["points"], draw(step, 0)["pde"])
        for rank in (own, other):
            for name, scale in (("loss", expected[0]["loss"]), ("gradient", expected[0]["gradient"].abs().max())):
                torch.testing.assert_close(rank[name], one[name], rtol=1e-12, atol=1e-12 * float(scale))
    saved = torch.load(tmp_path / f"runs/{problem}-1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(saved[f"network.{name}"], value, rtol=1e-9, atol=1e-9)


def test_two_ranks_equal_one_process_over_two_windows(tmp_path: Path, one_thread: None) -> None:
    """Each window's weights after its steps to 1e-9; the second one begins with the first one's best weights."""
    flags = [*FLAGS, "--optimizer", "gauss_newton", "--steps", str(STEPS), "--windows", "2", "--exact", "initial"]
    machine = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--folder", str(tmp_path / "runs")]
    two_ranks(tmp_path / "streams", traced, str(tmp_path / "trace"), [*flags, *machine])
    folder = tmp_path / "runs" / "wave-1"
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["wave-1"], "one run folder, rank 0's"
    assert json.loads((folder / "summary.json").read_text())["devices"] == 2

    record = Record([])
    sequence = Sequence(build(read(flags)[1]), folder, record, [2.5, 5.0])
    for window in Record.read(folder, ["2"]).windows:
        part = sequence.built(window.end)
        if sequence.parts:
            blend(sequence.parts[-1], part.module.network, 0.01)

        def draw(step: int, rank: int, part: Any = part) -> Any:
            return part.data.draw(step if part.module.resample != 0 else 0, rank, 2, dtype=torch.float64)

        network, _ = by_least_squares(part, draw)
        saved = torch.load(folder / f"window-{len(sequence.parts) + 1}/checkpoints/last.ckpt", weights_only=True)
        for name, value in network.state_dict().items():
            torch.testing.assert_close(saved["state_dict"][f"network.{name}"], value, rtol=1e-9, atol=1e-9)
        load_window(part, folder / window.weights)
        sequence.parts.append(part.module.network)
        record.windows.append(window)
