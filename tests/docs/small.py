"""How the code of the documentation is run at small size: tiny networks, few points, two steps, no pictures."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from runpy import run_module, run_path
from typing import Any

import lightning as L
import numpy as np
import pytest
from helpers import ROOT, TINY
from torch import nn

from mask_pinns import recipe as recipes
from mask_pinns.cli.main import main
from mask_pinns.cli.parser import COMMANDS, read

MINE = """from mask_pinns import Box, Dirichlet, Initial, Problem


class Mine(Problem):
    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: p.x - p.x**3), Dirichlet("x", u=0.0))

    def residual(self, p, u):
        return u.t - u.xx
"""
"""What pages call mine.py, as the reader's own problem."""
TOLD = ("--help", "--list", "--version", "--dry_run", "--completion")
"""Flags with which nothing is trained."""


def small_python(patch: pytest.MonkeyPatch) -> None:
    """From here on `recipe_for` and Lightning's Trainer train a little only."""
    patch.setattr(recipes, "recipe_for", _small_recipe(recipes.recipe_for))
    patch.setattr(L, "Trainer", _SmallTrainer)


def _small_recipe(recipe_for: Callable[..., Any]) -> Callable[..., Any]:
    def small(problem: Any, seed: int = 0, **changes: Any) -> Any:
        network = changes.get("network", {})
        if not isinstance(network, nn.Module):
            changes["network"] = {**network, "width": 6, "blocks": 1}
        points = changes.get("points", {})
        changes |= {"points": {**(points if isinstance(points, Mapping) else {}), "pde": 60}, "steps": 2}
        return recipe_for(problem, seed, **changes)

    return small


class _SmallTrainer(L.Trainer):
    def __init__(self, **options: Any) -> None:
        small = {"max_steps": 2, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
        super().__init__(**options | small | {"logger": False, "enable_checkpointing": False})


def run_shell(text: str) -> None:
    """Runs each command of a block of shell, as it stands there, at small size."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        words = words[: next((i for i, word in enumerate(words) if word in (">", ">>")), None)]
        if words:
            _run(words)


def _run(words: list[str]) -> None:
    """Runs one command; one that is not known here fails."""
    first, *rest = words
    if words[:2] == ["python", "train.py"]:
        _train(rest[1:])
    elif first == "mask-pinns":
        _train(rest)
    elif words[:2] == ["python", "-m"]:
        _module(rest[1], rest[2:])
    elif first == "python":
        _script(rest[0], rest[1:])
    elif first == "torchrun":
        start = next(i for i, word in enumerate(words) if word in ("train.py", "mask_pinns"))
        read(words[start + 1 :])
    elif first == "make":
        assert f"\n{rest[0]}:" in (ROOT / "Makefile").read_text(), f"no target {rest[0]}"
    elif first == "pip":
        _install(rest)
    elif first in ("bash", "sbatch"):
        assert (ROOT / rest[0]).is_file()
    elif first == "tensorboard":
        assert find_spec("tensorboard") and rest[0] == "--logdir"
    else:
        assert first in ("source", "cd", "git", "echo"), f"a command that nobody tries: {shlex.join(words)}"


def _train(words: list[str]) -> None:
    if words[:1] == ["tune"]:
        few = ["--trials", "1"] if "--resume" in words else ["--trials", "1", "--trial_steps", "2", "--points", "60"]
        assert main([*words, *few]) == 0
    elif words[:1] and words[0] in COMMANDS[1:]:
        assert main(words) == 0
    elif any(word in TOLD for word in words):
        assert not _exit_code(words)
    elif "--devices" in words:
        read(words)
    elif "--resume" in words:
        latest = max(Path("runs").glob("*/config.yaml"), key=lambda file: file.stat().st_mtime).parent
        ended = (latest / "windows.json").exists()  # a tiny run in windows is finished, and says so
        assert main([*words, "--steps", "4"]) == (2 if ended else 0)  # others have had two steps
    elif "auto" in words:  # which goes on until its target is reached
        assert main([*words, *_small(words), "--dry_run"]) == 0
    else:
        assert main([*words, *_small(words)]) == 0


def _exit_code(words: list[str]) -> Any:
    """What a command that only tells something ends with."""
    try:
        return main(words)
    except SystemExit as end:
        return end.code


def _small(words: list[str]) -> list[str]:
    """Flags that make a run tiny; where another run or a file says what it is, those that leave that as it is."""
    if "--from" in words:
        return ["--steps", "2"]
    flags = dict(zip(TINY[::2], TINY[1::2], strict=True))
    flags |= {"--steps": "2", "--compile": "off"}  # compiling takes a minute, and has tests of its own
    for name in ("--optimizer", "--precision") if "--config" in words else ("--optimizer",):
        flags.pop(name)
    return [word for name, value in flags.items() for word in (name, value)]


def _module(name: str, words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as end:
            run_module(name, run_name="__main__")
    assert not end.value.code, f"python -m {name} {shlex.join(words)}"


def _script(path: str, words: list[str]) -> None:
    """A script of benchmarks/ runs for minutes to hours: it has to know the flags. One of the page itself is run."""
    if not path.startswith("benchmarks/"):
        run_path(path, run_name="__main__")
        return
    text = (ROOT / path).read_text()
    for flag in (word for word in words if word.startswith("--")):
        assert f'"{flag}"' in text, f"{path} has no {flag}"


def _install(words: list[str]) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for word in words[1:]:
        extra = word.partition("[")[2].rstrip("]")
        assert not extra or f"\n{extra} = [" in text, f"no extra {extra}"


def lay_out(folder: Path, run: Path) -> None:
    """Files and runs that pages speak of as the reader's own."""
    for name in ("wave-1", "heat", "masked", "plain", "NAME", "a", "b"):
        shutil.copytree(run, folder / "runs" / name)
    for name in ("benchmarks", "configs", "docs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "points.csv").write_text("x,t\n0.5,0.1\n0.5,0.9\n")
    (folder / "thermometers.csv").write_text("x,t,u\n0.637,0.320,0.661\n0.270,0.178,0.617\n0.5,0.9,0.41\n")
    np.savez(folder / "start.npz", x=np.linspace(0, 1, 9), u=np.sin(np.pi * np.linspace(0, 1, 9)))
    (folder / "mine.py").write_text(MINE)
