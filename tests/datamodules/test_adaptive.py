"""Adaptive points: they go where the residual is large, can be drawn again, and survive a resume to the last bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from helpers import QUIET, ROOT, same_weights
from torch import Tensor

from mask_pinns import Box, Initial, MaskPINN, Problem
from mask_pinns.callbacks import LastCheckpoint
from mask_pinns.cli.parser import read
from mask_pinns.datamodules import SAMPLERS, PointsDataModule
from mask_pinns.datamodules.adaptive import chances, choose, residual_sizes
from mask_pinns.datamodules.points import VALIDATION_STEP, generator


class Spot(Problem):
    """A residual that is 1 at (0.3, 1.4) and vanishes outside of a spot around it, whatever the network says."""

    domain = Box(x=(0.0, 1.0), t=(1.0, 2.0))
    derivatives = ("t",)
    conditions = (Initial(u=1.0),)

    def residual(self, p, u):
        return 0.0 * u.t + torch.exp(-((p.x - 0.3) ** 2 + (p.t - 1.4) ** 2) / 0.01)


class Ranked(PointsDataModule):
    """Draws as one rank of two."""

    rank = 0

    def ranks(self) -> tuple[int, int]:
        return self.rank, 2


def train(
    steps: int, problem: Any = "burgers", optimizer: Any = "adam", kind: Any = PointsDataModule, rank: int = 0,
    callbacks: Any = (), checkpoint: Path | None = None, **options: Any,
) -> tuple[MaskPINN, list[Tensor]]:  # fmt: skip
    """A short run: the module, and the collocation points of every step."""
    seen: list[Tensor] = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, *_):
            if isinstance(batch, dict):  # a burst draws by itself
                seen.append(batch["pde"].clone())

    torch.manual_seed(0)
    m = MaskPINN(problem, {"name": "masked", "width": 8, "blocks": 1}, optimizer, lr=0.01)
    data = kind(m.problem, **{"points": 60, "adaptive": (1.0, 1.0)} | options)
    data.rank = rank
    trainer = L.Trainer(max_steps=steps, precision="64-true", limit_val_batches=0, enable_checkpointing=False,
                        callbacks=[Watch(), *callbacks], **QUIET)  # fmt: skip
    trainer.fit(m, data, ckpt_path=checkpoint, weights_only=True)
    return m, seen


def near(x: Tensor) -> float:
    """The share of points within 0.2 of the spot; of the whole domain it is 0.126."""
    return float(((x - torch.tensor([0.3, 1.4])).norm(dim=1) < 0.2).double().mean())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_points_go_where_the_residual_is_large(sampler: str) -> None:
    share = {}
    for adaptive in ((), (1.0, 0.0), (1.0, 1.0), (2.0, 0.0), (0.0, 0.0)):
        _, (first, second) = train(2, Spot(), points=400, sampler=sampler, adaptive=adaptive)
        for x in (first, second):
            assert x.dtype == torch.float64
            assert x[:, 0].min() > 0 and x[:, 0].max() < 1 and x[:, 1].min() > 1 and x[:, 1].max() < 2
            assert len(x.unique(dim=0)) == len(x) == 400, "all of them different"
        share[adaptive] = (near(first) + near(second)) / 2
    assert share[()] < 0.17 and share[0.0, 0.0] < 0.19, "K = 0 is no preference"
    assert share[1.0, 1.0] > 0.3, "at step 0 too"
    assert share[1.0, 0.0] > 0.7 and share[2.0, 0.0] > 0.7


def test_the_formula() -> None:
    sizes = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(chances(sizes, 2.0, 0.5), sizes**2 / (10 / 3) + 0.5)
    torch.testing.assert_close(chances(1e300 * sizes, 2.0, 0.5), sizes**2 / (10 / 3) + 0.5)
    for broken in (torch.zeros(3), torch.tensor([1.0, torch.nan, 2.0]), torch.tensor([1.0, torch.inf, 2.0])):
        same = chances(broken, 1.0, 0.0)
        assert (same > 0).all() and (same == same[0]).all()


def test_candidates_are_chosen_as_often_as_the_formula_says() -> None:
    random, sizes = generator("cpu", 0), torch.tensor([0.0, 1.0, 2.0, 5.0])
    counts = torch.stack([choose(sizes, 1, 1.0, 1.0, random) for _ in range(4000)]).flatten().bincount(minlength=4)
    expected = (sizes / 2 + 1) / 8
    assert (counts / 4000 - expected).abs().max() < 4 * (0.25 / 4000) ** 0.5
    assert sorted(choose(sizes, 9, 1.0, 0.0, random).tolist()) == [0, 1, 2, 3], "no more than there are"


@pytest.mark.parametrize("derivatives", ["jet", "autograd"])
def test_sizes_are_those_of_the_residuals(derivatives: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a system, over several chunks."""
    monkeypatch.setattr("mask_pinns.datamodules.adaptive.CANDIDATE_CHUNK", 7)
    m = MaskPINN(
        "kovasznay",
        {"name": "masked", "width": 8, "blocks": 1},
        weights={"pde.momentum_y": 4.0},
        derivatives=derivatives,
    )
    x = PointsDataModule(m.problem, points=20).draw(0)
    residuals = m.objective.residuals(m.network, x)
    one, two, three = (residuals[f"pde.{name}"].vector for name in ("momentum_x", "momentum_y", "continuity"))
    sizes = residual_sizes(m.objective, m.network, x["pde"])
    torch.testing.assert_close(sizes, (one**2 + 4 * two**2 + three**2).sqrt().detach())
    assert not sizes.requires_grad


def test_they_can_be_drawn_again_and_ranks_differ() -> None:
    first, again = train(3)[1], train(3)[1]
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], train(1, seed=1)[1][0])
    (zero,), (one,) = (train(1, kind=Ranked, rank=rank)[1] for rank in (0, 1))
    assert len(zero) == len(one) == 30
    assert not {tuple(x) for x in zero.tolist()} & {tuple(x) for x in one.tolist()}


def test_the_other_points_and_those_of_validation_stay() -> None:
    plain, adaptive = (PointsDataModule(Spot(), points=50, adaptive=a) for a in ((), (1.0, 1.0)))
    for step in (0, VALIDATION_STEP):
        assert all(map(torch.equal, plain.draw(step).values(), adaptive.draw(step).values()))


PHASES = [{"optimizer": "adam", "steps": 8}, {"optimizer": "ssbroyden", "max_iter": 4}]


@pytest.mark.parametrize(
    ("optimizer", "stop", "burst"),
    [("adam", 5, 1), ("adam", 8, 4), ("adam", 10, 1), (PHASES, 5, 4), (PHASES, 8, 1), (PHASES, 10, 4)],
)
def test_resume_equals_the_uninterrupted_run(tmp_path: Path, optimizer: Any, stop: int, burst: int) -> None:
    """Within the life of one draw (4 steps, or as long as the phase lasts) and between two."""
    options: dict[str, Any] = {"optimizer": optimizer, "resample": 4, "burst": burst}
    whole, _ = train(12, **options)
    train(stop, callbacks=[LastCheckpoint(tmp_path, 100)], **options)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["PointsDataModule"]
    assert state["pde"].shape == (1, 60, 2)
    rest, _ = train(12, checkpoint=tmp_path / "last.ckpt", **options)
    assert same_weights(whole, rest)


def test_points_of_a_checkpoint_that_do_not_fit_are_dropped(tmp_path: Path) -> None:
    train(5, callbacks=[LastCheckpoint(tmp_path, 100)], resample=4)
    _, seen = train(6, checkpoint=tmp_path / "last.ckpt", resample=4, points=70)
    assert len(seen[0]) == 70
    _, seen = train(6, checkpoint=tmp_path / "last.ckpt", resample=4, adaptive=())
    plain = PointsDataModule(MaskPINN("burgers").problem, points=60).draw(4, dtype=torch.float64)
    assert torch.equal(seen[0], plain["pde"])


@pytest.mark.parametrize("adaptive", [["1"], ["1", "-1"], ["1", "2", "3"], ["nan", "1"], ["a", "b"]])
def test_flags_that_are_refused(command, adaptive: list[str]) -> None:
    code, _, err = command("--steps", "1", "--adaptive", *adaptive)
    assert (code, err.count("\n")) == (2, 1), err
    assert "adaptive" in err


def test_it_is_off_unless_asked_for() -> None:
    for words in ([], ["--config", str(ROOT / "configs/paper/wave.yaml")]):
        _, config = read(words)
        assert (config.adaptive, config.causal, config.balance) == ([], 0.0, 0)


@pytest.mark.slow
def test_two_ranks_resume_exactly(tmp_path: Path) -> None:
    """With every option on: points of their own, one common set of multipliers."""
    flags = ["--width", "6", "--blocks", "1", "--points", "80", "--precision", "64", "--optimizer", "adam", "--folder",
             str(tmp_path), "--devices", "2", "--strategy", "ddp", "--accelerator", "cpu", "--resample", "3",
             "--adaptive", "1", "1", "--causal", "1", "--balance", "2"]  # fmt: skip
    for words in (
        ["--steps", "7", "--name", "whole", *flags],
        ["--steps", "4", "--name", "half", *flags],
        ["--resume", str(tmp_path / "half"), "--steps", "7"],
    ):
        done = subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    a, b = (torch.load(tmp_path / f"{n}/checkpoints/last.ckpt", weights_only=True) for n in ("whole", "half"))
    assert a["state_dict"].keys() == b["state_dict"].keys() >= {"multipliers"}
    assert all(torch.equal(a["state_dict"][k], b["state_dict"][k]) for k in a["state_dict"])
    points = a["PointsDataModule"]["pde"]
    assert points.shape == (2, 40, 2)
    assert not torch.equal(points[0], points[1])
    assert torch.equal(points, b["PointsDataModule"]["pde"])
