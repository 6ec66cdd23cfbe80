"""Compiling: the same numbers within rounding, the same checkpoints, a decision that depends on settings alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers import small_network

from mask_pinns import MaskPINN, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective.compilation import compiled_loss, flops, should_compile
from mask_pinns.problems.loading import make_problem


def parts(width: int = 7):
    problem = make_problem("wave")
    return Objective(problem), small_network("masked", 2, 1), PointsDataModule(problem, points=50).draw(0)


def test_flops_are_those_of_the_matrix_products() -> None:
    """By hand: width 7, two blocks: weights 2*7 + 4*49 + 7; streams: 4 inside, 2 at t = 0, 1 on the walls."""
    objective, network, points = parts()
    assert flops(objective, network, points) == 6 * (14 + 196 + 7) * (50 * 4 + 5 * 2 + 10 * 1)


def test_the_decision() -> None:
    objective, network, points = parts()
    assert should_compile("on", objective, network, points, 1)
    assert not should_compile("off", objective, network, points, 10**9)
    assert not should_compile("auto", objective, network, points, 10)
    assert should_compile("auto", objective, network, points, 10**9)
    nested = Objective(objective.problem, derivatives="autograd")
    assert not should_compile("auto", nested, network, points, 10**9)
    with pytest.raises(ValueError, match="nested autograd"):
        should_compile("on", nested, network, points, 1)


def test_without_a_compiler_training_goes_on_in_eager_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_, **__):
        raise RuntimeError("no C++ compiler found\nlong story")

    monkeypatch.setattr(torch, "compile", lambda f, **_: broken)
    objective, network, points = parts()
    with pytest.warns(UserWarning, match="cannot compile here, training without: no C\\+\\+ compiler found"):
        loss = compiled_loss(objective, network, points, required=False)
    assert torch.equal(loss(network, points)[0], objective.loss(network, points)[0])
    with pytest.raises(ValueError, match="use --compile off"):
        compiled_loss(objective, network, points, required=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.*")
def test_compiled_equals_eager(float64, command, tmp_path: Path) -> None:
    """A whole run by the command line, both ways: losses within rounding, checkpoints with the same keys."""
    torch.set_default_dtype(torch.float32)
    for mode in ("on", "off"):
        code, _, err = command("--steps", "6", "--compile", mode, "--name", mode, "--blocks", "0")
        assert (code, err) == (0, "")
    on, off = (tmp_path / "runs" / mode for mode in ("on", "off"))
    a, b = (json.loads((p / "summary.json").read_text()) for p in (on, off))
    assert a["compile_s"] > 0
    assert b["compile_s"] == 0
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-9)
    assert a["rel_l2"] == pytest.approx(b["rel_l2"], rel=1e-9)
    states = [torch.load(p / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for p in (on, off)]
    assert states[0].keys() == states[1].keys()
    for key in states[0]:
        torch.testing.assert_close(states[0][key], states[1][key], rtol=1e-7, atol=1e-9)
    assert command("--resume", str(on), "--steps", "8", "--compile", "off", tiny=False)[0] == 0


def test_planned_evaluations_reach_to_the_end_of_training() -> None:
    module = MaskPINN("wave", {"name": "masked", "width": 4}, "adam 10, lbfgs 2")
    assert module.schedule.planned_evaluations(4) == 4
    assert module.schedule.planned_evaluations(12) == 10 + 2 * 20
    assert module.schedule.planned_evaluations(15) == 10 + 5 * 20, "a larger --steps lengthens the last phase"
