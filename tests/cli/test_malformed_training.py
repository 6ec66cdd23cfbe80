"""What is malformed in a way that shows only in training; settings of many kinds that really train for two steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from malformed import cases

LATE = """
import sys, torch
from mask_pinns import Box, Initial, Problem

class Mine(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=lambda p: late(p.x, {target})),)
    calls = []

    def residual(self, p, u):
        return late(u.t, {pde})

def late(x, breaks):
    if breaks and len(x) > 150:  # not yet where functions are tried
        Mine.calls.append(1)
        if len(Mine.calls) > {after}:
            {mistake}
    return x
"""
MISTAKES = {
    "RuntimeError": "raise RuntimeError('no')",
    "KeyError": "{}['a']",
    "MemoryError": "raise MemoryError",
    "ValueError": "raise ValueError('no')",
    "SystemExit": "sys.exit(3)",
    "ZeroDivisionError": "1 / 0",
    "shape (1,)": "return x[:1]",
}


def latest() -> Path:
    """The run that was begun last."""
    return max(Path("runs").iterdir(), key=lambda p: int(p.name.rpartition("-")[2]))


@cases(16)
@given(kind=st.sampled_from(sorted(MISTAKES)), where=st.sampled_from(["pde", "initial"]),
       optimizer=st.sampled_from(["adam", "lbfgs", "gauss_newton"]), after=st.integers(0, 60))  # fmt: skip
def test_mistakes_in_training(answer: Callable[..., str], kind: str, where: str, optimizer: str, after: int) -> None:
    """A residual or a target that fails at some evaluation ends the run by its name and the step."""
    text = LATE.format(target=where != "pde", pde=where == "pde", after=after, mistake=MISTAKES[kind])
    path = Path(f"late_{len(list(Path().glob('late_*')))}.py")
    path.write_text(text)
    flags = ["--width", "4", "--blocks", "0", "--points", "300", "--points.initial", "200", "--optimizer", optimizer,
             "--steps", "70", "--validate_every", "1", "--patience", "100", "--on_stall", "tell",
             "--loss_target", "1e-300",
             "--statistics_record", "--figures_every", "100"]  # fmt: skip
    message = answer(["--problem", f"{path}:Mine", *flags], trains=True)
    assert message.startswith("stopped: ") and kind in message and repr(where) in message and "Mine" in message, message
    saved = (latest() / "checkpoints/last.ckpt").is_file()
    assert "at step " in message and ("is kept" if saved else "nothing was saved yet") in message, message
    step = int(message.rpartition("at step ")[2].partition(")")[0])
    if step > 0:
        assert torch.load(latest() / "checkpoints/last.ckpt", weights_only=True)["global_step"] in (step, step - 1)


SETTINGS = [
    "--optimizer lbfgs", "--optimizer gauss_newton", "--optimizer soap", "--optimizer ssbroyden --resample 1",
    "--optimizer {optimizer:adam,betas:[0.5,0.9],precision:32}", "--optimizer {optimizer:lbfgs,max_iter:1,target:1e9}",
    "--balance 1", "--causal 1e9", "--adaptive 1 0", "--on_nonfinite rollback", "--weights.pde 1e38", "--weights.pde 0",
    "--lr 1e37", "--decay 1e-30 --decay_every 1", "--precision 32", "--exact all --balance 1",
    "--statistics_probes 1", "--statistics_probes 2", "--statistics_record drift", "--statistics_record nothing",
    "--log_every 1000000", "--validate_every 3", "--burst 2", "--burst 2 --log_every 1", "--points.initial 1",
    "--points 1", "--periodic x --harmonics 3", "--scale.t 1e37", "--fourier 1 --fourier_std 1e30", "--mask_init 1e30",
    "--target 1e30", "--trainer.max_time nonsense", "--trainer.limit_val_batches 0", "--derivatives autograd",
    "--network batchnorm", "--first_scale 1e30", "--seed 4294967295", "--problem.c 1e30",
]  # fmt: skip


@cases(26)
@given(st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=2, unique=True))
def test_two_steps_of_any_settings(answer: Callable[..., str], settings: list[str]) -> None:
    """Two steps are trained; what stops them says so in one line."""
    given = ["--width", "4", "--blocks", "1", "--points", "30", "--optimizer", "adam", "--figures_every", "100"]
    message = answer([*given, "--steps", "2", *" ".join(settings).split()], trains=True)
    summary = {} if message else json.loads((latest() / "summary.json").read_text())
    assert message or summary["steps"] == 2 or summary["stop_reason"] == "target"
