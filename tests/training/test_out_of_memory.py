"""Memory that does not suffice: recognized on CPU and GPU, answered by one line, avoided where chunks do."""

from __future__ import annotations

import errno
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forks import Fork

from mask_pinns import MaskPINN
from mask_pinns.callbacks.features.observer import Observer
from mask_pinns.cli.main import main
from mask_pinns.memory import CHUNK, evaluate_in_chunks, is_out_of_memory, requested
from mask_pinns.objective import Objective
from mask_pinns.optim.gauss_newton import GaussNewton

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "2000000000 bytes. Error code 12 (Cannot allocate memory)"
)
CUDA = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 139 GiB of which 3 MiB are free."
ERRORS: list[BaseException] = [
    RuntimeError(CPU),
    torch.OutOfMemoryError(CUDA),
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((10**12,), np.dtype(float)),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("std::bad_alloc"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


def give_up(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_they_are_recognized_also_as_the_cause_of_another_error(error: BaseException) -> None:
    assert is_out_of_memory(error)
    second = ValueError("the residual 'pde' fails")
    second.__cause__ = error
    assert is_out_of_memory(second)


def test_other_errors_are_not() -> None:
    for error in (
        ValueError("a step needs 3 GB, but 1 GB are free"),
        RuntimeError("shapes"),
        OSError(errno.ENOSPC, ""),
    ):
        assert not is_out_of_memory(error)
    assert (requested(RuntimeError(CPU)), requested(torch.OutOfMemoryError(CUDA))) == ("2.0 GB", "20.00 MiB")
    assert requested(MemoryError()) == ""


@pytest.mark.parametrize("name", ["masked", "batchnorm", "siren"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_give_the_bits_of_one_pass(name: str, dtype: torch.dtype) -> None:
    module = MaskPINN("wave", {"name": name, "width": 20, "blocks": 1}).to(dtype).eval()
    for count in (0, 1, 100, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK + 77):
        x = torch.rand(count, 2, dtype=dtype)
        with torch.no_grad():
            assert np.array_equal(module.predict(x), module.network(x).numpy())


@pytest.mark.parametrize("fits", [1, 2, 100, 1000])
def test_chunks_are_halved_until_they_fit(fits: int) -> None:
    seen: list[int] = []

    def network(x: torch.Tensor) -> torch.Tensor:
        if len(x) > fits:
            raise torch.OutOfMemoryError(CUDA)
        seen.append(len(x))
        return 2 * x

    x = torch.arange(1534.0).reshape(-1, 2)
    assert torch.equal(evaluate_in_chunks(network, x, x, 256), 2 * x)
    assert max(seen) <= fits and sum(seen) == len(x)
    with pytest.raises(torch.OutOfMemoryError):
        evaluate_in_chunks(lambda x: give_up(torch.OutOfMemoryError(CUDA)), x, x)
    with pytest.raises(RuntimeError, match="shapes"):
        evaluate_in_chunks(lambda x: give_up(RuntimeError("shapes")), x, x)


def test_complex_points_are_refused() -> None:
    with pytest.raises(ValueError, match="complex"):
        MaskPINN("wave", {"name": "masked", "width": 4}).predict(np.ones((3, 2)) + 1j)


def failing(function: Any, error: BaseException, after: int) -> Any:
    calls: list[int] = []

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return give_up(error) if len(calls) > after else function(*arguments, **options)

    return call


@pytest.mark.parametrize("error", [*ERRORS[:3]], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("after", [4, 9])
def test_training_stops_in_one_line(command, tmp_path: Path, monkeypatch, error: BaseException, after: int) -> None:
    monkeypatch.setattr(Objective, "loss", failing(Objective.loss, error, after))
    code, _, err = command("--steps", "20", "--validate_every", "6", "--compile", "off", "--name", "a")
    assert (code, err.count("\n")) == (1, 1) and err.startswith("stopped: out of memory"), err
    assert "take fewer --points (pde 60" in err and "--width 6" in err
    saved = (tmp_path / "runs/a/checkpoints/last.ckpt").is_file()
    assert saved == (after == 9)
    assert (f"go on with --resume {tmp_path / 'runs/a'}" if saved else "nothing was saved yet") in err
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["stop_reason"] == "out of memory"
    monkeypatch.undo()
    assert not saved or command("--resume", str(tmp_path / "runs/a"), tiny=False)[0] == 0


def test_an_optimizers_matrices_are_named(command, monkeypatch) -> None:
    monkeypatch.setattr(GaussNewton, "step", lambda *_, **__: give_up(torch.OutOfMemoryError(CUDA)))
    code, _, err = command("--steps", "2", "--optimizer", "gauss_newton")
    assert (code, err.count("\n")) == (1, 1) and "the optimizer's matrices" in err and "20.00 MiB" in err, err


@pytest.mark.parametrize("words", [["test"], ["validate"], ["predict"], ["--dry_run"], ["--steps", "3"]])
def test_every_command_stops_in_one_line(command, run_a: Path, monkeypatch, words: list[str]) -> None:
    """Also building, checks and plans."""
    monkeypatch.setattr("mask_pinns.jets.network.JetNetwork.forward", lambda *_: give_up(ERRORS[1]))
    monkeypatch.setattr(Objective, "residuals", lambda *_: give_up(ERRORS[1]))
    checkpoint = [] if words[0].startswith("-") else ["--ckpt_path", str(run_a)]
    code, _, err = command(*words, *checkpoint, tiny=not checkpoint)
    assert (code, err.count("\n")) == (1, 1) and err.startswith("stopped: out of memory"), err


def test_recordings_that_do_not_fit_end_alone(command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Observer, "layers", failing(Observer.layers, ERRORS[1], 1))
    code, out, err = command("--steps", "8", "--statistics_every", "2", "--name", "a")
    assert (code, err) == (0, "") and out.count("no feature statistics from step 2 on, out of memory") == 1
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["steps"] == 8


def limited(words: list[str]) -> int:
    """The command in a process that may take half a gigabyte more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 500_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return main(words)


@pytest.mark.parametrize(
    "flags", ["--points 60 --width 14000", "--points 2000000 --width 8", "--points 3000000 --dry_run"]
)
def test_a_real_limit(tmp_path: Path, flags: str) -> None:
    words = [
        *flags.split(),
        "--blocks",
        "0",
        "--optimizer",
        "adam",
        "--steps",
        "2",
        "--exact",
        "--folder",
        str(tmp_path),
    ]
    fork = Fork(tmp_path / "streams", limited, words, environment={"OMP_NUM_THREADS": "1"})
    assert fork.wait(120) == 1, fork.err
    assert fork.err.count("\n") == 1 and fork.err.startswith("stopped: out of memory"), fork.err
