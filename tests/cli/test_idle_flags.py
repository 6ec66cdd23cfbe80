"""Flags that have no effect say so, and no example in the documentation has one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from mask_pinns.cli import parser
from mask_pinns.cli.checks import idle_flags
from mask_pinns.cli.run import build
from mask_pinns.stepper import Stepper

IDLE = {
    "--lr 0.01": "--lr has no effect: gauss_newton 100, tangent 1: only adam and soap take it",
    "--decay 0.5 --decay_every 7": "only adam and soap take it",
    "--optimizer [{optimizer: adam, lr: 0.1}] --lr 0.01": "adam: each phase has its own",
    "--optimizer adam --lr 0.01": "",
    "--optimizer [{optimizer: adam, lr: 0.1, steps: 3}, {optimizer: soap}] --lr 0.01": "",
    "--resample 5": "--resample has no effect: gauss_newton 100, tangent 1: each phase has its own interval",
    "--optimizer lbfgs --resample 5": "the first points stay",
    "--optimizer adam --resample 5": "",
    "--compile on": "its residuals are not compiled",
    "--optimizer adam --on_stall retry": "first-order phases are not judged",
    "--causal 1 --patience 3": "--patience has no effect",
    "--balance 3": "a single residual",
    "--exact --balance 3": "",
    "--network residual --mask_init 2": "--mask_init has no effect: the network residual has no mask: add --mask true",
    "--mask false --network.mask_init 2": "--network.mask_init has no effect",
    "--network residual --mask true --mask_init 2": "",
    "--blocks 0 --network.skip false": "there are no blocks",
    "--harmonics 3": "add --periodic NAME",
    "--problem convection --harmonics 3": "",
    "--fourier_std 2": "there are no Fourier features: add --fourier N",
    "--embedding.fourier_trainable true": "--embedding.fourier_trainable has no effect",
    "--exact dirichlet_x --exact_time 0.5": "no initial condition holds by construction",
    "--exact_time 0.5": "",
    "--points.initial 40": "--points.initial has no effect: initial holds by construction",
    "--weights.initial 40": "--weights.initial has no effect: initial holds by construction",
    "--weights.conditions 4": "all conditions hold by construction",
    "--exact --points.initial 40 --weights.initial 4": "",
    "--statistics_record --statistics_every 4": "--statistics_record is empty",
    "--matmul_precision high": "products are in float64",
    "--precision 32 --matmul_precision high": "",
    "--vtu": "--vtu has no effect: it is for the command predict",
    "test --ckpt_path x --vtu": "it is for the command predict",
    "predict --ckpt_path x --vtu": "",
    "--predict_file p.csv": "--predict_file has no effect: it is for the command predict",
    "predict --ckpt_path x --predict_points p.csv --predict_file p.vtu": "are those of a mesh of the domain",
    "predict --ckpt_path x --predict_points p.csv --predict_file p.csv": "",
    "--predict_points p.csv": "it is for the command predict",
    "--predict_derivatives x tt": "--predict_derivatives has no effect: it is for the commands predict and export",
    "--export_file s.onnx": "--export_file has no effect: it is for the command export",
    "predict --ckpt_path x --export_precision 32": "it is for the command export",
    "export --ckpt_path x --predict_derivatives x --export_file s.pt2 --export_precision 32": "",
    "export --ckpt_path x --predict_file p.csv": "--predict_file has no effect: it is for the command predict",
    "test --ckpt_path x --predict_std": "it is for the command predict",
    "predict --ckpt_path x --predict_derivatives x --predict_std": "",
    "test --ckpt_path x --steps 3": "--steps has no effect: test does not train",
    "predict --ckpt_path x --lr 3": "--lr has no effect: predict does not train",
    "validate --ckpt_path x --predict_points p.csv": "it is for the command predict",
    "--width 8 --seed 3 --steps 4 --first_scale 2 --sampler uniform --verify": "",
}
"""What is typed over the recipe of the wave equation, and what is answered ("": nothing)."""


def words_of(text: str) -> list[str]:
    """Flags may have spaces in brackets."""
    return [word.strip() for word in re.findall(r"\[.*?\](?= -|$)|\S+", text)]


def told(words: list[str]) -> list[str]:
    given = [word for i, word in enumerate(words) if word != "--ckpt_path" and words[i - 1 : i] != ["--ckpt_path"]]
    command, config = parser.read(given)
    return idle_flags(command, config, build(config).module)


@pytest.mark.parametrize("text", IDLE)
def test_flags_without_an_effect_say_so(text: str) -> None:
    lines = told(words_of(text))
    assert bool(lines) == bool(IDLE[text]) and all(IDLE[text] in line for line in lines), lines


def test_the_run_prints_it_and_config_yaml_does_not_have_it(command, tmp_path: Path) -> None:
    code, out, err = command("--mask", "false", "--mask_init", "2", "--steps", "1", "--name", "a")
    assert (code, err) == (0, "") and "--mask_init has no effect: the network masked has no mask" in out
    assert "typed" not in (tmp_path / "runs/a/config.yaml").read_text()
    assert "has no effect" not in command("--steps", "1")[1]


def examples() -> list[str]:
    texts = [path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    lines = re.findall(
        r"^ *python train\.py(.*)$", "\n".join([*texts, parser.describe("python train.py")]), re.MULTILINE
    )
    commands = {line.partition("#")[0].partition("  ")[0].strip() for line in lines}
    others = ("--resume", "--ckpt_path", "runs/", ".py:", "--help", "--list", "--strategy")
    return sorted(line for line in commands if line and not any(piece in line for piece in others))


@pytest.mark.parametrize("example", examples())
def test_every_flag_of_an_example_changes_something(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the recipe that is active: none has no effect, and none repeats what the recipe has."""
    monkeypatch.chdir(ROOT)
    words = shlex.split(example)
    assert told(words) == []
    starts = [i for i, word in enumerate(words) if word.startswith("--") and word not in ("--problem", "--network")]
    whole = settings(words)
    for start, end in zip(starts, [*starts, len(words)][1:], strict=True):
        assert settings(words[:start] + words[end:]) != whole, words[start]


def settings(words: list[str]) -> dict[str, Any]:
    return {key: value for key, value in vars(parser.read(words)[1]).items() if key != "typed"}


def test_gauss_newton_compiles_no_loss(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stepper, "_prepare_loss", lambda *_: pytest.fail("a loss that is not used"))
    code, _, err = command("--optimizer", "gauss_newton", "--steps", "2", "--compile", "on")
    assert (code, err) == (0, "")
