"""The command tune: whole studies of tiny runs, resumed, killed, pruned, with trials that fail, and what is refused."""

from __future__ import annotations

import io
import json
import math
import os
import re
import shlex
import signal
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from forks import Fork
from helpers import TINY

from mask_pinns import MaskPINN
from mask_pinns.cli.main import main
from mask_pinns.cli.parser import read
from mask_pinns.tuning.observer import TrialObserver

SEARCH = ["--search", "width 3..8, first_scale 0.5..4 log, activation tanh|sin", "--trial_steps", "2"]
STUDY = ["tune", *TINY, *SEARCH, "--folder"]


def lines(out: str, study: str = "trial") -> list[str]:
    """The lines of trials, without their times."""
    return [re.sub(r"\d+\.\d s", "", line) for line in out.splitlines() if line.startswith(f"{study}-")]


def settings_of(run: Path) -> dict[str, Any]:
    content = yaml.safe_load((run / "config.yaml").read_text())
    return {key: content["network"][key] for key in ("width", "first_scale", "activation")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A study of three trials, and what it has printed."""
    runs, out = tmp_path_factory.mktemp("whole"), io.StringIO()
    with redirect_stdout(out):
        assert main([*STUDY, str(runs), "--trials", "3", "--steps", "5", "--name", "s"]) == 0
    return runs / "s", out.getvalue()


def test_a_study_from_its_first_trial_to_its_best_settings(command, whole: tuple[Path, str]) -> None:
    study, out = whole
    told = lines(out)
    assert len(told) == 3 and told[0].startswith("trial-0 (1 of 3): width 6, first_scale 3, activation sin: loss ")
    assert "the best of 3 trials" in out and f"tensorboard --logdir {study}" in out
    assert f"optuna-dashboard sqlite:///{study}/study.db" in out
    for k in range(3):
        files = {p.name for p in (study / f"trial-{k}").iterdir()}
        assert {"config.yaml", "checkpoints", "metrics.csv", "solution.png", "summary.json", "output.txt"} <= files
        assert json.loads((study / f"trial-{k}/summary.json").read_text())["steps"] == 2
        assert "relative L2" in (study / f"trial-{k}/output.txt").read_text()
    page = (study / "study.html").read_text()
    assert page.count('<img src="data:image/svg+xml;base64,') == 4 and page.count("<tr") == 4
    best = study / next(line for line in reversed(told) if "the best so far" in line).partition(" ")[0]
    content = yaml.safe_load((study / "best.yaml").read_text())
    assert content["steps"] == 5 and "search" not in content and "name" not in content
    assert {k: content["network"][k] for k in settings_of(best)} == settings_of(best)
    for row in ("train", "or"):  # the commands that are printed
        words = next(line for line in out.splitlines() if line.startswith(f"{row} "))
        config = read(shlex.split(words)[2:])[1]
        assert config.steps == 5 and {k: config.network[k] for k in settings_of(best)} == settings_of(best)


def test_a_study_in_two_sessions_has_the_same_trials(command, whole: tuple[Path, str], tmp_path: Path) -> None:
    one = command("tune", *SEARCH, "--trials", "1", "--steps", "5", "--name", "a")
    two = command("tune", "--resume", str(tmp_path / "runs/a"), "--trials", "3", tiny=False)
    assert (two[0], two[2]) == (0, "")
    told = lines(whole[1])
    assert lines(one[1])[0] == told[0].replace("of 3", "of 1") and lines(two[1]) == told[1:]
    nothing = command("tune", "--resume", "last", tiny=False)
    assert nothing[0] == 0 and lines(nothing[1]) == [], "3 trials in total, of which the study knows"


def killed_in_trial(folder: str, number: int) -> int:
    """A study whose process is killed at the second validation of a trial."""
    really = TrialObserver.on_validation_end

    def kill(self: TrialObserver, trainer: Any, module: Any) -> None:
        if Path(trainer.default_root_dir).name == f"trial-{number}" and trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        really(self, trainer, module)

    TrialObserver.on_validation_end = kill  # type: ignore[method-assign]
    return main([*STUDY, folder, "--trials", "3", "--name", "s"])


def test_a_trial_in_which_the_study_was_killed_is_failed_and_repeated(
    command, whole: tuple[Path, str], tmp_path: Path
) -> None:
    fork = Fork(tmp_path / "streams", killed_in_trial, str(tmp_path / "runs"), 1)
    assert fork.wait() == -signal.SIGKILL, fork.err
    code, out, err = command("tune", "--resume", str(tmp_path / "runs/s"), tiny=False)
    assert (code, err) == (0, "")
    told = lines(out)
    assert [line.partition(":")[0] for line in told] == ["trial-2 (2 of 3)", "trial-3 (3 of 3)"]
    assert settings_of(tmp_path / "runs/s/trial-1") == settings_of(tmp_path / "runs/s/trial-2")
    assert [line.partition(": ")[2] for line in told] == [line.partition(": ")[2] for line in lines(whole[1])[1:]]
    assert "repeated: killed" in (tmp_path / "runs/s/study.html").read_text()


def test_a_signal_ends_the_study_and_the_trial_is_repeated(command, tmp_path: Path, monkeypatch) -> None:
    really = TrialObserver.on_validation_end

    def interrupt(self: TrialObserver, trainer: Any, module: Any) -> None:
        if Path(trainer.default_root_dir).name == "trial-1":
            signal.raise_signal(signal.SIGTERM)
        really(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(TrialObserver, "on_validation_end", interrupt)
        code, out, err = command("tune", *SEARCH, "--trials", "2", "--name", "s")
    assert (code, err) == (143, "") and "interrupted; it is repeated when the study goes on" in out
    code, out, err = command("tune", "--resume", str(tmp_path / "runs/s"), tiny=False)
    assert (code, err) == (0, "") and lines(out)[0].startswith("trial-2 (2 of 2)")


def test_trials_that_diverge_fail_with_their_reason_and_the_study_goes_on(command, tmp_path: Path) -> None:
    flags = ["--search", "lr 1e-3..1e12 log", "--lr", "1e-2", "--precision", "32", "--trial_steps", "3"]
    code, out, err = command("tune", *flags, "--trials", "5", "--name", "s")
    assert (code, err) == (0, "")
    told = lines(out)
    failed = [line for line in told if "failed: " in line]
    assert (
        len(told) == 5 and 0 < len(failed) < 5 and all("non-finite" in line or "not finite" in line for line in failed)
    )
    assert "failed: " in (tmp_path / "runs/s/study.html").read_text()


def test_trials_that_are_refused_fail_with_their_reason(command) -> None:
    """Batch normalization couples points, which Gauss-Newton refuses; nothing else is left to try afterwards."""
    flags = ["--search", "network masked|batchnorm", "--optimizer", "gauss_newton", "--trial_steps", "2"]
    code, out, err = command("tune", *flags, "--trials", "9")
    assert (code, err) == (0, "") and "all settings that the search has" in out
    kept, refused = lines(out)
    assert "best so far" in kept and "network batchnorm: failed: " in refused and "Gauss-Newton needs" in refused, (
        refused
    )
    assert "\nor " not in out, "flags over the study's configuration would keep options of the other network"


def test_no_trial_with_a_loss_is_told(command, tmp_path: Path, monkeypatch) -> None:
    def fails(self: MaskPINN, *_: Any) -> None:
        raise ValueError("it is not my day")

    monkeypatch.setattr(MaskPINN, "training_step", fails)
    code, out, err = command("tune", *SEARCH, "--trials", "2")
    assert (code, err) == (1, "") and "no trial has a loss yet" in out
    assert all("failed: it is not my day" in line for line in lines(out)) and len(lines(out)) == 2


def test_a_loss_that_is_not_finite_is_a_failure(command, monkeypatch) -> None:
    real, calls = TrialObserver.on_validation_end, []

    def nan(self: TrialObserver, trainer: Any, module: Any) -> None:
        calls.append(0)
        if len(calls) <= 2:  # in the first trial
            trainer.callback_metrics["val/loss"].fill_(math.nan)
        real(self, trainer, module)

    monkeypatch.setattr(TrialObserver, "on_validation_end", nan)
    code, out, _ = command("tune", *SEARCH, "--trials", "2")
    assert code == 0 and "failed: the loss at fresh points is not finite" in lines(out)[0]
    assert "loss " in lines(out)[1] and "best so far" in lines(out)[1]


def test_a_trial_that_trains_worse_than_the_median_is_pruned(command, tmp_path: Path) -> None:
    """The learning rates of the first trials are good, so that most others are worse."""
    search = ["--search", "lr 1e-9..1e-2 log", "--lr", "1e-2"]
    code, out, err = command(
        "tune", *search, "--trial_steps", "8", "--validate_every", "2", "--trials", "7", "--name", "s"
    )
    assert (code, err) == (0, "")
    pruned = [line for line in lines(out) if "pruned at step" in line]
    assert pruned, out
    number = pruned[0].partition(" ")[0]
    summary = json.loads((tmp_path / f"runs/s/{number}/summary.json").read_text())
    assert summary["stop_reason"] == "pruned" and summary["steps"] < 8


def test_windows_are_judged_by_the_worst_one(command, tmp_path: Path) -> None:
    code, out, err = command("tune", *SEARCH, "--windows", "2", "--trials", "2", "--name", "s", "--tune_minutes", "9")
    assert (code, err) == (0, "") and "judged by their worst window, and not pruned" in out
    record = json.loads((tmp_path / "runs/s/trial-0/windows.json").read_text())
    losses = [window["loss"] for window in record["windows"]]
    assert len(losses) == 2 and len(lines(out)) == 2
    told = [float(re.findall(r"loss (\S+),", line)[0]) for line in lines(out)]
    other = json.loads((tmp_path / "runs/s/trial-1/windows.json").read_text())
    worst = max(window["loss"] for window in other["windows"])
    assert told[0] / told[1] == pytest.approx(max(losses) / worst, rel=2e-2)


def test_unknowns_are_searched_for_as_in_other_runs(command) -> None:
    code, out, err = command("tune", "--problem", "cooling", *SEARCH, "--trials", "2")
    assert (code, err) == (0, "") and len(lines(out)) == 2


def test_a_time_limit_ends_the_study_and_cuts_its_trial(command, tmp_path: Path) -> None:
    code, out, err = command("tune", *SEARCH, "--trials", "5", "--tune_minutes", "1e-4", "--name", "s")
    assert (code, err) == (1, "") and "are over" in out
    code, out, err = command("tune", "--resume", str(tmp_path / "runs/s"), "--trials", "1", tiny=False)
    assert code == 0 and "(1 of 1)" in lines(out)[0]


REFUSED = {
    "--devices 2 --strategy ddp --accelerator cpu": "leave out --devices and --num_nodes",
    "--verify": "--verify is for one run",
    "--trainer.max_time 00:00:01:00": "use --tune_minutes, --trial_steps",
    "--trials 0": "trials",
    "--tune_minutes 0": "tune_minutes",
    "--trial_steps 0": "trial_steps",
    "--validate_every 50 --trial_steps 3": "--validate_every 50 is more than the 3 steps of a trial",
    "--search first_scale|-1..3": "--search first_scale -1.0: first_scale is -1.0; it must be above 0",
    "--search mask_init|1..2 --network mlp": "mask_init has no effect: the network mlp has no mask",
    "--search lr|1e-4..1e-2 --optimizer gauss_newton": "lr has no effect: gauss_newton: only adam and soap take it",
    "--resume nowhere": "nowhere is no study",
    "--resume last": "there is no study in",
}


@pytest.mark.parametrize("flags", REFUSED)
def test_what_cannot_be_tuned_is_answered_in_one_line(command, tmp_path: Path, flags: str) -> None:
    words = [word.replace("|", " ") for word in flags.split()]
    code, _, err = command("tune", *words, tiny="--resume" not in words)
    assert code == 2 and REFUSED[flags] in err and err.count("\n") == 1, err
    assert not (tmp_path / "runs").exists()


def test_what_a_study_does_not_go_on_with(command, tmp_path: Path) -> None:
    assert command("tune", *SEARCH, "--trials", "1", "--name", "s")[0] == 0
    study, before = str(tmp_path / "runs/s"), (tmp_path / "runs/s/config.yaml").read_text()
    for flags, message in {
        "--width 3": "the trials of a study have the same settings and search: leave out --width",
        "--search x": "leave out --search",
        "--config wave": "leave out --config",
        "--name b": "leave out --name",
    }.items():
        code, _, err = command("tune", "--resume", study, *flags.split(), tiny=False)
        assert code == 2 and message in err and err.count("\n") == 1, err
    for verb in ("fit --resume", "test --ckpt_path", "fit --from"):
        code, _, err = command(*verb.split(), study, tiny=False)
        assert code == 2 and "is a study with several runs; name one" in err, err
    assert (tmp_path / "runs/s/config.yaml").read_text() == before
    assert command("test", "--ckpt_path", f"{study}/trial-0", tiny=False)[0] == 0
    assert "--ckpt_path is for validate" in command("tune", "--ckpt_path", f"{study}/trial-0", tiny=False)[2]


def test_flags_of_tune_have_no_effect_on_other_commands(command) -> None:
    code, out, _ = command("--trials", "3", "--steps", "2", "--dry_run")
    assert code == 0 and "--trials has no effect: it is for the command tune" in out


def test_a_dry_run_shows_the_search_and_the_plan(command, tmp_path: Path) -> None:
    code, out, err = command("tune", "--dry_run", "--trial_steps", "4")
    assert (code, err) == (0, "") and "20 trials of 4 steps over first_scale 0.75..12 log, activation sin|tanh" in out
    assert "lr 0.0003..0.01 log" in out and not (tmp_path / "runs").exists()
