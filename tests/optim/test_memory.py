"""Memory of the dense matrix: announced once, and refused before it is taken."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from mask_pinns import memory
from mask_pinns.memory import available_memory, require_memory
from mask_pinns.optim.broyden import SelfScaledBroyden


def test_memory_is_refused_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mask_pinns.memory.available_memory", lambda device: 10**9)
    message = r"8,000 parameters \(with a working copy\) needs 1.0 GB, but 1.0 GB are free.*smaller width.*lbfgs"
    with pytest.raises(ValueError, match=message):
        SelfScaledBroyden([torch.nn.Parameter(torch.zeros(8000, dtype=torch.float64))])
    SelfScaledBroyden([torch.nn.Parameter(torch.zeros(8000, dtype=torch.float32))])


def test_free_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  900 kB\nMemFree:   1 kB\nMemAvailable:   700 kB\n")
    cpu = torch.device("cpu")
    assert available_memory(cpu, file) == 700 * 1024
    assert available_memory(cpu, tmp_path / "none") is None
    assert available_memory(torch.device("meta")) is None
    require_memory(10**18, torch.device("meta"), "nobody knows", "so try")


@pytest.mark.parametrize(("large", "level"), [(10**9, logging.INFO), (10, logging.WARNING)])
def test_memory_is_announced_once(caplog, monkeypatch: pytest.MonkeyPatch, large: int, level: int) -> None:
    monkeypatch.setattr(memory, "WARNING_BYTES", large)
    caplog.set_level(logging.INFO)
    p = torch.nn.Parameter(torch.ones(5, dtype=torch.float64))
    optimizer = SelfScaledBroyden([p])
    assert not caplog.records

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (p**4).sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage() == "the inverse Hessian of 5 parameters: 0.000 GB on cpu"
