"""A run's folder: it belongs to one process, has a name, and is the only place that a run goes on in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import loads
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.cli.configuration import UsageError
from mask_pinns.cli.run_folder import locked
from mask_pinns.stepper import Stepper

# ---- two processes ---------------------------------------------------------------------------------------------------


def test_two_processes_cannot_train_in_one_folder(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    run = tmp_path / "runs/a"
    hold = (
        "import sys, time, filelock; x = filelock.FileLock(sys.argv[1]); x.acquire(); print(flush=True); time.sleep(99)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, str(run / ".lock")], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    try:
        before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
        code, _, err = command("--resume", str(run), "--steps", "4", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert f"another process is training in {run}" in err
        assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    finally:
        other.kill()  # the lock goes with the process
        other.wait()
        other.stdout.close()
    assert command("--resume", str(run), "--steps", "4", tiny=False)[0] == 0


def test_a_run_holds_its_folder_while_it_trains_and_not_longer(command, tmp_path: Path, monkeypatch) -> None:
    step, refused = Stepper.step, []

    def stepping(self: Stepper, points: Any) -> Any:
        with pytest.raises(UsageError), locked(tmp_path / "runs/a"):
            pass
        refused.append(True)
        return step(self, points)

    monkeypatch.setattr(Stepper, "step", stepping)
    assert command("--steps", "2", "--name", "a")[0] == 0
    assert refused == [True, True]
    with locked(tmp_path / "runs/a"):
        pass


def test_a_folder_in_which_nothing_can_be_written_names_another_one(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    lock = tmp_path / "runs/a/.lock"
    lock.unlink()
    lock.mkdir()
    code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "4", tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert f"{lock} cannot be made" in err
    assert "--folder" in err
    (tmp_path / "file").write_text("in the way")
    code, _, err = command("--steps", "2", "--folder", str(tmp_path / "file"))
    assert (code, err.count("\n")) == (2, 1), err
    assert "choose another with --folder" in err


@pytest.mark.parametrize("name", ["a/b", "../../x", "..", ".", "/tmp/x", "a/"])
def test_a_name_that_is_a_path_is_refused(command, tmp_path: Path, name: str) -> None:
    code, _, err = command("--steps", "1", "--name", name)
    assert (code, err.count("\n")) == (2, 1), err
    assert f"--name {name} is a path" in err
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_takes_no_name(command, tmp_path: Path) -> None:
    command("--steps", "1", "--name", "a")
    code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "2", "--name", "zz", tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert "--name zz is for a new run" in err


def test_only_the_first_rank_takes_the_lock(tmp_path: Path, monkeypatch) -> None:
    with locked(tmp_path):
        monkeypatch.setattr(rank_zero_only, "rank", 1)
        with locked(tmp_path):
            pass


# ---- folders that are no run's ---------------------------------------------------------------------------------------


def test_a_checkpoint_outside_a_run_folder_is_tested_but_not_resumed(command, run_a: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign/models"
    foreign.mkdir(parents=True)
    last = foreign / "last.ckpt"
    last.write_bytes((run_a / "checkpoints/last.ckpt").read_bytes())
    config = ["--config", str(run_a / "config.yaml")]
    for given in (last, foreign):
        code, _, err = command("--resume", str(given), *config, "--steps", "4", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "lies in no run folder" in err
    assert [p.name for p in (tmp_path / "foreign").rglob("*")] == ["models", "last.ckpt"], "no lock is left"
    assert command("test", "--ckpt_path", str(last), *config, tiny=False)[0] == 0


@pytest.mark.parametrize("content", [None, ""])
def test_a_run_without_its_configuration_asks_for_it(command, run_a: Path, tmp_path: Path, content: str | None) -> None:
    own, elsewhere = run_a / "config.yaml", tmp_path / "elsewhere.yaml"
    own.rename(elsewhere)
    if content is not None:
        own.write_text(content)
    for verb in (["test", "--ckpt_path"], ["--steps", "3", "--resume"]):
        code, _, err = command(*verb, str(run_a), tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert f"{own}, the configuration of the run, is missing or empty; give it with --config FILE" in err
        assert command(*verb, str(run_a), "--config", str(elsewhere), tiny=False)[0] == 0
    assert command("test", "--ckpt_path", str(run_a), tiny=False)[0] == 0, "resuming has written it again"


def test_a_checkpoint_named_from_inside_its_folder_is_its_run_s(command, run_a: Path, monkeypatch) -> None:
    monkeypatch.chdir(run_a / "checkpoints")
    assert command("--resume", "last.ckpt", "--steps", "3", tiny=False)[0] == 0
    assert loads(run_a / "checkpoints/last.ckpt")["global_step"] == 3
    assert {p.name for p in (run_a / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
