"""Processes that others start: launchers, schedulers, a process that dies, another number of devices."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import two_ranks
from helpers import ROOT, TINY
from lightning import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.cli.main import main
from mask_pinns.cli.parser import read
from mask_pinns.settings import TrainerSettings

TWO = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu"]
SLURM = {
    "SLURM_NTASKS": "1", "SLURM_JOB_ID": "17", "SLURM_JOB_NAME": "wave", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_NNODES": "1", "SLURM_JOB_NODELIST": "localhost",
}  # fmt: skip


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env=environment)


def test_flags_of_the_trainer_are_arguments_of_lightnings() -> None:
    """They are declared without it, with its defaults; it gets them as they are."""
    arguments = inspect.signature(Trainer.__init__).parameters
    for field in dataclasses.fields(TrainerSettings):
        default = arguments[field.name].default
        assert field.default == (default or field.default), field.name
    assert read([])[1].trainer == dataclasses.asdict(TrainerSettings())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max_time: 00:01:00:00", "00:01:00:00"),
        ("max_time: {hours: 1}", {"hours": 1}),
        ("deterministic: warn", "warn"),
        ("limit_val_batches: 0.5", 0.5),
        ("limit_val_batches: 2", 2),
        ("benchmark: null", None),
        ("max_time: {hours: x}", ValueError),
        ("deterministic: sometimes", ValueError),
        ("detect_anomaly: null", ValueError),
        ("max_steps: 3", ValueError),
    ],
)
def test_the_trainer_in_files(tmp_path: Path, text: str, value: Any) -> None:
    (tmp_path / "c.yaml").write_text(f"trainer: {{{text}}}\n")
    if value is ValueError:
        with pytest.raises(ValueError, match=text.partition(":")[0]):
            read(["--config", str(tmp_path / "c.yaml")])
        return
    assert read(["--config", str(tmp_path / "c.yaml")])[1].trainer[text.partition(":")[0]] == value


def test_a_slurm_job_begins_where_it_is_told_to(command, tmp_path: Path, monkeypatch) -> None:
    """Lightning would go on from any hpc_ckpt file in the folder, of whatever problem."""
    command("--steps", "8", "--name", "other")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/other/checkpoints/last.ckpt").rename(tmp_path / "hpc_ckpt_1.ckpt")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert command("--problem", "klein_gordon", "--steps", "4", "--name", "a")[0] == 0
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["evaluations"] == 4, "all its steps are its own"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hpc_ckpt_1.ckpt", "runs"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            SLURM | {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
            "SLURM has started 4 process(es), but the flags ask for 1",
        ),
        (
            {
                "TORCHELASTIC_RUN_ID": "x",
                "WORLD_SIZE": "2",
                "RANK": "0",
                "LOCAL_RANK": "0",
                "GROUP_RANK": "0",
                "MASTER_ADDR": "localhost",
                "MASTER_PORT": "1",
            },
            "torchrun has started 2 process(es)",
        ),
        ({"RANK": "1"}, "RANK in the environment says that this is one process of several"),
    ],
)
def test_processes_that_do_not_know_of_each_other_are_refused(
    command, tmp_path: Path, monkeypatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", int(variables.get("RANK", "0")), raising=False)
    code, _, err = command("--steps", "2")
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork", "ddp_notebook"])
def test_processes_are_started_and_not_copied(command, strategy: str) -> None:
    code, _, err = command("--strategy", strategy, "--devices", "2")
    assert (code, err.count("\n")) == (2, 1) and f"--strategy {strategy}" in err and "use ddp" in err, err


@pytest.mark.parametrize("strategy", ["fsdp", "deepspeed_stage_2"])
def test_parameters_stay_whole(command, strategy: str) -> None:
    code, _, err = command("--strategy", strategy, "--devices", "2")
    assert (code, err.count("\n")) == (2, 1), err
    assert f"--strategy {strategy} shares out the parameters" in err


def test_torchrun(tmp_path: Path) -> None:
    run = [*TINY, *TWO, "--folder", str(tmp_path), "--steps", "3", "--points", "61"]
    done = shell(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "train.py", *run)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["wave-1"]
    assert json.loads((tmp_path / "wave-1/summary.json").read_text())["devices"] == 2
    assert "points of pde do not divide by 2 processes: rounded up" in " ".join(done.stdout.split())


DIES = """
import os, signal, sys
sys.path[:0] = ['.']
from mask_pinns.cli.main import main
from mask_pinns.stepper import Stepper
step = Stepper.step
def stepping(self, points):
    if self.host.global_step == 12 and self.host.global_rank == 1: os.kill(os.getpid(), signal.SIGKILL)
    return step(self, points)
Stepper.step = stepping
sys.exit(main(sys.argv[1:]))
"""
"""train.py, but its second process dies in the thirteenth step."""


def test_a_process_that_dies_is_reported_in_one_line(tmp_path: Path) -> None:
    run = ["--folder", str(tmp_path), "--name", "a", "--steps", "100000", "--validate_every", "5", "--compile", "off"]
    (tmp_path / "dies.py").write_text(DIES)
    done = shell(sys.executable, str(tmp_path / "dies.py"), *TINY, *TWO, *run)
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("stopped: ")]
    assert len(lines) == 1 and "another process of this run is gone" in lines[0], done.stderr
    assert f"go on with --resume {tmp_path / 'a'}" in lines[0] and "Traceback" not in done.stderr, done.stderr
    assert torch.load(tmp_path / "a/checkpoints/last.ckpt", weights_only=True)["global_step"] == 10


def test_on_two_devices_and_back(command, tmp_path: Path) -> None:
    """A run begun by one process goes on as two, and as one again; each time one line says what changes."""
    runs = tmp_path / "runs"
    assert command("--steps", "4", "--name", "a", "--points", "80", "--optimizer", "adam 6, lbfgs")[0] == 0
    first, _ = two_ranks(tmp_path / "streams", main, ["--resume", str(runs / "a"), "--steps", "8", *TWO])
    assert "trained on 1 device(s) so far, on 2 from here" in " ".join(first.out.split())
    code, out, err = command(
        "--resume", str(runs / "a"), "--steps", "10", "--devices", "1", "--strategy", "auto", tiny=False
    )
    assert (code, err) == (0, "")
    assert "trained on 2 device(s) so far, on 1 from here" in " ".join(out.split())
    last = torch.load(runs / "a/checkpoints/last.ckpt", weights_only=True)
    assert (last["global_step"], last["schedule"]["index"], last["ranks"]) == (10, 1, 1)
