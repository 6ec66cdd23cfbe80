"""A run goes on, is tested and predicts with its own equation only; a resume says what changes, or changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import loads, same

from mask_pinns import MaskPINN
from mask_pinns.problems.derived.statement import contradiction, statement
from mask_pinns.stepper import Stepper

ROD = '''
import torch

from mask_pinns import Box, Dirichlet, Initial, Neumann, Problem

RATE = 0.3


class Rod(Problem):
    """u_t = k u_xx + f."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(3.0 * p.x)), Dirichlet("x", side="low", u=0.0),
                  Neumann("x", side="high", u=1e-6))

    def residual(self, p, u):
        return u.t - 1e-9 * RATE * u.xx + 0.0 * u * u
'''
CHANGES = {
    "a small coefficient": ("1e-9", "1.001e-9"),
    "a number of the module": ("RATE = 0.3", "RATE = 0.4"),
    "another term": ("+ 0.0 * u * u", "+ 0.01 * u * u"),
    "a source": ("+ 0.0 * u * u", "+ 0.0 * u * u + 1e-3 * p.x"),
    "a product of derivatives": ("+ 0.0 * u * u", "+ 1e-6 * u.t * u.x"),
    "the initial values": ("3.0 * p.x", "3.0001 * p.x"),
    "a small wall value": ("u=1e-6", "u=2e-6"),
    "the kind of a condition": ('Dirichlet("x", side="low", u=0.0)', 'Neumann("x", side="low", u=0.0, name="n")'),
    "a condition less": ('Dirichlet("x", side="low", u=0.0),', ""),
    "the interval of time": ("t=(0.0, 1.0)", "t=(0.0, 1.1)"),
    "where it holds": ("return ", "return (p.x < 0.9) * "),
}
FLAGS = ["--optimizer", "adam", "--precision", "64", "--steps", "3", "--points", "40", "--width", "5", "--blocks", "1",
         "--figures_every", "1000", "--statistics_record", "moments"]  # fmt: skip


@pytest.fixture
def rod(command, tmp_path: Path) -> Path:
    """A run of a problem's file, three steps long."""
    (tmp_path / "rod.py").write_text(ROD)
    assert command("--problem", str(tmp_path / "rod.py:Rod"), *FLAGS, "--name", "a", tiny=False)[0] == 0
    return tmp_path / "runs/a"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_change_of_the_equation_is_refused(command, rod: Path) -> None:
    """By the commands that read a checkpoint; a comment and a solution that is known later change nothing."""
    file, before = rod.parents[1] / "rod.py", contents(rod)
    for name, (old, new) in CHANGES.items():
        assert old in ROD
        file.write_text(ROD.replace(old, new))
        for words in (["--resume", str(rod), "--steps", "5"], ["test", "--ckpt_path", str(rod)]):
            code, _, err = command(*words, tiny=False)
            assert (code, err.count("\n")) == (2, 1), (name, err)
            assert "is of another Rod: " in err and "--from RUN" in err, (name, err)
    assert command("predict", "--ckpt_path", str(rod), tiny=False)[0] == 2
    assert contents(rod) == before
    file.write_text(ROD + "\n    def exact(self, p):  # found since\n        return 0.0 * p.x + 1.0\n")
    assert command("test", "--ckpt_path", str(rod), tiny=False)[0] == 0
    assert command("--resume", str(rod), "--steps", "5", tiny=False)[0] == 0


def test_a_run_that_was_copied_beside_another_file_keeps_its_own(command, rod: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(rod, other / "runs/a")
    (other / "rod.py").write_text(ROD.replace("1e-9", "5.0"))
    assert command("test", "--ckpt_path", str(other / "runs/a"), tiny=False)[0] == 0, "with the file of the run"
    (tmp_path / "rod.py").unlink()
    code, _, err = command("test", "--ckpt_path", str(other / "runs/a"), tiny=False)
    assert code == 2 and "does not exist; if it was moved: --problem" in err
    moved = ["test", "--ckpt_path", str(other / "runs/a"), "--problem", str(other / "rod.py:Rod")]
    code, _, err = command(*moved, tiny=False)
    assert code == 2 and "is of another Rod" in err


def test_python_refuses_another_equation_too(tmp_path: Path, rod: Path) -> None:
    from mask_pinns import Box, Initial, Problem

    class Rod(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t",)
        conditions = (Initial(u=1.0),)

        def residual(self, p, u):
            return u.t + u

    network = {"name": "masked", "width": 5, "blocks": 1}
    with pytest.raises(ValueError, match="the checkpoint is of another Rod: its residuals are"):
        MaskPINN.load_from_checkpoint(rod / "checkpoints/last.ckpt", problem=Rod(), network=network)


def test_a_residual_with_noise_has_no_statement() -> None:
    from mask_pinns import Box, Initial, Problem

    class Noisy(Problem):
        domain = Box(t=(0.0, 1.0))
        derivatives = ("t",)
        conditions = (Initial(u=1.0),)

        def residual(self, p, u):
            return u.t + u + torch.randn(())

    one, other = statement(Noisy()), statement(Noisy())
    assert (
        contradiction(one, other) == ""
        and "pde source" not in one["residuals"]
        and "pde u.t near 0" in one["residuals"]
    )


RESUMED_WITH = {
    "--weights.initial 100": (
        "from here on: weights {'conditions': 100.0} -> {'conditions': 100.0, 'initial': 100.0}",
        True,
    ),
    "--points 50": ("from here on: points {'pde': 40} -> {'pde': 50}", True),
    "--seed 5": ("from here on: seed 0 -> 5", True),
    "--trainer.limit_val_batches 1": ("from here on: trainer.limit_val_batches None -> 1", True),
    "--trainer.max_time 00:01:00:00": ("from here on: trainer.max_time None -> 00:01:00:00", False),
    "--causal 1": ("from here on: causal 0.0 -> 1.0", False),
}


@pytest.mark.parametrize("flags", RESUMED_WITH)
def test_what_changes_on_purpose_is_said_and_works(command, rod: Path, flags: str) -> None:
    """A smaller loss of before, with other weights or points, does not keep `best.ckpt` from being replaced."""
    said, anew = RESUMED_WITH[flags]
    last = rod / "checkpoints/last.ckpt"
    content = loads(last)
    for key, state in content["callbacks"].items():
        if key.startswith("ModelCheckpoint"):
            state |= {
                "best_model_score": torch.tensor(0.0),
                "best_k_models": {state["best_model_path"]: torch.tensor(0.0)},
            }
    torch.save(content, last)
    code, out, err = command("--resume", str(rod), "--steps", "6", "--validate_every", "1", *flags.split(), tiny=False)
    assert (code, err) == (0, ""), err
    assert said in " ".join(out.split()) and ("judged anew" in out) == anew, out
    assert (loads(rod / "checkpoints/best.ckpt")["global_step"] > 3) == anew
    code, out, _ = command("--resume", str(rod), "--steps", "7", tiny=False)
    assert code == 0 and "from here on" not in out, "the changes are those of the run now"


def test_a_resume_that_fails_at_its_first_step_changes_nothing(command, rod: Path, monkeypatch) -> None:
    def fails(self: Stepper, points: Any) -> Any:
        raise RuntimeError("made so by a test")

    before = contents(rod)
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", fails)
        with pytest.raises(RuntimeError, match="made so by a test"):
            command("--resume", str(rod), "--steps", "6", "--points", "50", tiny=False)
    assert contents(rod) == before
    assert json.loads((rod / "summary.json").read_text())["steps"] == 3


def test_a_run_that_its_time_has_ended_goes_on_with_the_same_bits(command, rod: Path, tmp_path: Path) -> None:
    begin = ["--problem", str(tmp_path / "rod.py:Rod"), *FLAGS, "--steps", "9", "--validate_every", "4"]
    assert command(*begin, "--name", "whole", tiny=False)[0] == 0
    timed = ["--name", "timed", "--trainer.max_time", "00:00:00:00"]
    code, out, _ = command(*begin, *timed, tiny=False)
    run = tmp_path / "runs/timed"
    assert code == 0 and "max_time" in out
    for step in (2, 3):
        assert json.loads((run / "summary.json").read_text())["steps"] == step - 1
        assert command("--resume", str(run), tiny=False)[0] == 0
    assert command("--resume", str(run), "--trainer.max_time", "01:00:00:00", tiny=False)[0] == 0
    assert same(run / "checkpoints/last.ckpt", tmp_path / "runs/whole/checkpoints/last.ckpt")


def test_predictions_of_a_run_are_its_own(command, rod: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.full((3, 2), 0.5))
    assert command("predict", "--ckpt_path", str(rod), "--predict_points", str(tmp_path / "p.npy"), tiny=False)[0] == 0
