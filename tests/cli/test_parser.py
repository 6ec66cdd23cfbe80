"""Flags and what they are refused with: help, one line for each mistake, commands of the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mask_pinns.catalog.tables import NETWORKS, OPTIMIZERS, PROBLEMS
from mask_pinns.cli.main import main
from mask_pinns.cli.parser import build_parser, read
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.settings import RECORDED
from mask_pinns.version import __version__


def test_print_config_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read(["--print_config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["problem"]["name"] == "wave"
    with pytest.raises(SystemExit):
        read(["--problem", "burgers", "--help", "all"])
    shown = capsys.readouterr().out
    for piece in ("--problem.nu", "--width", "mask-pinns --resume last", "adam 2000, lbfgs", "--resume"):
        assert piece in shown
    assert "python" not in shown


@pytest.mark.parametrize("prog", ["mask-pinns", "python -m mask_pinns", "python train.py"])
def test_the_help_speaks_of_the_command_that_was_called(capsys: pytest.CaptureFixture[str], prog: str) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], prog)
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {prog} [fit|validate|test|predict|export|tune] [flags]")
    for flags in ("", "--problem burgers --width 32 --seed 1", "--resume last", "test --ckpt_path runs/wave-1"):
        assert f"\n  {prog} {flags}".rstrip() in shown
    assert set(re.findall(r"^  (.*?) --resume last", shown, re.MULTILINE)) == {prog}


def test_the_short_help_has_the_flags_that_people_change(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read(["--problem", "burgers", "--help"])
    shown = capsys.readouterr().out
    flags = set(re.findall(r"^  (--[a-z_.]+)", shown, re.MULTILINE))
    assert stop.value.code == 0 and len(shown.splitlines()) < 60 and 15 <= len(flags) <= 25
    assert {"--problem", "--problem.nu", "--network", "--width", "--optimizer", "--points", "--resume"} <= flags
    full = build_parser("burgers", "masked")._option_string_actions
    assert flags - set(full) == {"--problem", "--network", "--from"}, "short forms, which are replaced"
    assert "--help all" in shown.splitlines()[-1]
    with pytest.raises(UsageError, match="expected all, or nothing; got 'me'"):
        read(["--help", "me"])


def test_the_list_has_a_line_for_each_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0 and max(map(len, lines)) <= 110
    told = {line[2:].split()[0]: line[28:].strip() for line in lines if line[:2] in ("  ", "* ") and len(line) > 28}
    for table in (PROBLEMS, NETWORKS, OPTIMIZERS):
        assert [name for name in table.names() if not told.get(name)] == []


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"], "python train.py")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"mask-pinns {__version__}\n"


BAD = [
    (["--problem", "wav"], "unknown problem 'wav'; did you mean 'wave'? known: wave, convection"),
    (["--activation", "gleu"], "did you mean 'gelu'? known: gelu, tanh"),
    (["--network", "mask"], "did you mean 'masked'? known: masked, residual, mlp"),
    (["--optimizer", "adm"], "did you mean 'adam'? known: adam, lbfgs"),
    (["--optimizer", "adam 0"], "steps is 0"),
    (["--sampler", "sobl"], "did you mean 'sobol'"),
    (["--derivatives", "jets"], "did you mean 'jet'"),
    (["--points", "0"], "points"),
    (["--points", "-5"], "points"),
    (["--points.initial", "0"], "points"),
    (["--points.boundary", "10"], "unknown point set of Wave 'boundary'"),
    (["--weights.boundary", "10"], "unknown loss term of Wave 'boundary'"),
    (["--width", "0"], "width"),
    (["--width", "-3"], "width"),
    (["--width", "wide"], "width"),
    (["--blocks", "-1"], "blocks"),
    (["--steps", "0"], "steps"),
    (["--steps", "-7"], "steps"),
    (["--lr", "0"], "lr"),
    (["--mask_init", "0"], "mask_init is 0"),
    (["--seed", "-1"], "seed"),
    (["--problem.beta", "3"], "unknown setting --problem.beta"),
    (["--problem.c", "fast"], "problem.c"),
    (["--problem.c", "nan"], "problem.c"),
    (["--stpes", "3"], "unknown setting --stpes; did you mean --steps?"),
    (["--problem", "missing.py:Mine"], "problem file missing.py does not exist"),
    (["--config", "missing.yaml"], "configuration file missing.yaml does not exist"),
    (["--resume", "missing.ckpt"], "checkpoint missing.ckpt does not exist"),
    (["--resume", "last"], "there is no run with a checkpoint"),
    (["--precision", "7"], "precision"),
    (["--accelerator", "abacus"], "abacus"),
    (["--devices", "0"], "devices"),
    (["--precision", "bf16-true"], "unknown precision 'bf16-true'"),
    (["--devices", "foo", "--accelerator", "cpu"], "no such machine"),
    (["--periodic", "z"], "no coordinate 'z'; it has x, t"),
    (["--exact", "inital"], "did you mean 'initial'? known: initial, dirichlet_x, all"),
    (["--problem", "convection", "--periodic", "--exact", "all"], "embed its coordinate: --periodic x"),
    (["--fourier", "-2"], "fourier"),
    (["--fourier_std", "0"], "fourier_std"),
    (["--harmonics", "0"], "harmonics"),
    (["--exact_time", "0"], "exact_time"),
    (["--embedding.peridic", "x"], "did you mean --embedding.periodic?"),
    (["--first_scale", "0"], "first_scale is 0"),
    (["--network.input_layer", "false"], "e.g. --fourier 3"),
    (["validate"], "--ckpt_path"),
    (["predict"], "--ckpt_path"),
    (["train"], "train"),
    (["widht", "3"], "unknown word 'widht'"),
]


@pytest.mark.parametrize(("flags", "message"), BAD, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_bad_input_answers_in_one_line(command, tmp_path: Path, flags: list[str], message: str) -> None:
    code, _, err = command(*flags) if "--steps" in flags else command(*flags, "--steps", "2")
    assert code == 2, err
    assert message in err
    assert err.count("\n") == 1, err
    assert not (tmp_path / "runs").exists(), "a command that cannot run leaves no folder"


NEAR_MISSES = {
    "-width 5": "unknown word '-width'; did you mean --width?",
    "—width 5": "unknown word '—width'; did you mean --width?",
    "–seed=5": "unknown word '–seed=5'; did you mean --seed?",
    "--Width 5": "did you mean --width?",
    "--log-every 5": "did you mean --log_every?",
    "--width5": "did you mean --width 5?",
    "--lr1e-3": "did you mean --lr 1e-3?",
    "-steps100": "did you mean --steps 100?",
    "width=5": "did you mean --width=5?",
    "width 5": "did you mean --width?",
    "burgers": "did you mean --problem burgers?",
    "residual": "did you mean --network residual?",
    "heat.py:Heat": "did you mean --problem heat.py:Heat?",
    "mine.yaml": "did you mean --config mine.yaml?",
    "points.csv": "did you mean --predict_points points.csv?",
    "tset": "did you mean test?",
    "--steps 2 test": "did you mean test, as the first word?",
    "nothing": "settings are given as --NAME VALUE",
    "-5": "settings are given as --NAME VALUE",
    "-help": "did you mean --help?",
    "--verify=yes": "--verify takes no value, but got 'yes': leave it out",
    "--trainer file.yaml": "unknown setting --trainer",
}


@pytest.mark.parametrize("words", NEAR_MISSES)
def test_what_is_nearly_a_flag_is_answered_by_the_flag(answer, words: str) -> None:
    assert NEAR_MISSES[words] in answer(words.split())


@pytest.mark.parametrize("word", ["", "{a: 1}", "two words"])
def test_a_word_is_named_as_it_was_typed(answer, word: str) -> None:
    assert f"unknown word {word!r}" in answer(["--explain", word])


def test_the_help_lists_no_flag_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """--trainer FILE was listed, but could not read the settings of a file."""
    with pytest.raises(SystemExit):
        read(["--help", "all"])
    shown = capsys.readouterr().out
    assert "--trainer CONFIG" not in shown and "--trainer.max_time" in shown


def test_a_folder_that_cannot_be_written(command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = command("--steps", "2", "--folder", str(tmp_path / "file"))
    assert (code, err.count("\n")) == (2, 1)
    assert "file" in err


def test_flags_that_belong_to_another_command(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    assert "--resume" in command("--ckpt_path", str(tmp_path / "runs/a"), tiny=False)[2]
    assert command("test", "--resume", str(tmp_path / "runs/a"), tiny=False)[0] == 2


def test_what_can_be_recorded_is_what_the_callback_records() -> None:
    """The command line stands below the callbacks and has names of its own."""
    assert read([])[1].statistics_record == list(RECORDED)
