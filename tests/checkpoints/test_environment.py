"""What surrounds a command: variables of launchers, ports, disks that fill up, folders that vanish, python -OO."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forks import Fork
from helpers import ROOT, TINY

from mask_pinns.cli.main import main
from mask_pinns.stepper import Stepper

VARIABLES = {
    "RANK=foo": "RANK in the environment is 'foo'; expected a whole number",
    "LOCAL_RANK=-1": "LOCAL_RANK in the environment is '-1'",
    "WORLD_SIZE=": "WORLD_SIZE in the environment is ''",
    "SLURM_PROCID=2x": "SLURM_PROCID in the environment is '2x'",
    "MASTER_PORT=http": "MASTER_PORT in the environment is 'http'",
    "MASTER_PORT=99999": "expected one below 65536",
    "TORCHELASTIC_RUN_ID=1": "says torchrun, but there is no RANK",
    "MASTER_ADDR=nowhere.invalid SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0": "which is no host here",
}  # fmt: skip


@pytest.mark.parametrize("variables", VARIABLES)
def test_variables_of_launchers(answer, monkeypatch, variables: str) -> None:
    for variable in variables.split():
        monkeypatch.setenv(*variable.split("=", 1))
    assert VARIABLES[variables] in answer(["--devices", "2"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_nodes", "2"], "--num_nodes 2 without a launcher: start it on every node by torchrun"),
        (["--accelerator", "tpu"], "no such machine or trainer"),
        (["--strategy", "ddp_spawn", "--devices", "2"], "copies a running process"),
        (["--precision", "16", "--optimizer", "adam 3, lbfgs"], "lbfgs cannot train in half precision (16-mixed)"),
        (["--precision", "bf16", "--optimizer", "soap"], "soap cannot train in half precision (bf16-mixed)"),
        (["--precision", "bf16"], "gauss_newton, tangent cannot train in half precision"),
    ],
)
def test_machines_that_there_are_not(answer, flags: list[str], message: str) -> None:
    assert message in answer(["--width", "5", "--blocks", "1", "--points", "40", *flags])


def test_half_precision_trains_with_adam(command) -> None:
    flags = ["--precision", "bf16", "--steps", "3", "--accelerator", "cpu", "--compile", "off"]
    assert command(*flags)[0] == 0


def test_without_docstrings(tmp_path: Path) -> None:
    """`python -OO` has none: there is less help, but everything works."""
    done = subprocess.run([sys.executable, "-OO", "train.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "--width" in done.stdout


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    """One line, from the first process; the second one ends with it."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = str(other.getsockname()[1])
        flags = [*TINY, "--steps", "2", "--folder", str(tmp_path), "--accelerator", "cpu", "--devices", "2"]
        words = [sys.executable, "train.py", *flags, "--strategy", "ddp"]
        environment = {"PATH": "", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert f"error: port {port}, where the processes meet, is in use: set MASTER_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def spoilt(folder: Path, kind: str) -> int:
    """In a fork: a run whose folder is deleted, or whose disk is full, at step 7; only events are written then."""
    step = Stepper.step

    def stepping(stepper: Stepper, points: Any) -> Any:
        if stepper.host.global_step == 7:
            if kind == "deleted":
                subprocess.run(["rm", "-rf", str(folder)], check=True)
            else:
                (folder / "filler").write_bytes(b"0" * 2**19)
                subprocess.run(f"yes > {folder}/rest", shell=True, stderr=subprocess.DEVNULL)
        return step(stepper, points)

    Stepper.step = stepping  # type: ignore[method-assign]
    flags = ["--steps", "200", "--log_every", "1", "--validate_every", "1000", "--compile", "off"]
    return main([*TINY, *flags, "--folder", str(folder), "--name", "a"])


def test_a_folder_that_is_deleted(tmp_path: Path) -> None:
    run = Fork(tmp_path / "streams", spoilt, tmp_path / "runs", "deleted")
    assert run.wait() == 1
    assert run.err.startswith("stopped: the run folder") and run.err.count("\n") == 1, run.err


def test_a_disk_that_is_full_for_the_thread_of_tensorboard(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        run = Fork(tmp_path / "streams", spoilt, disk, "full")
        assert run.wait() == 1
        assert "No space left on device" in run.err and run.err.count("\n") == 1, run.err
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
