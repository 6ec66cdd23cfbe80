"""What tests share: float64 where it is asked for, small networks with no special values in them, a tiny run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mask_pinns import NETWORKS
from train import main


@pytest.fixture
def float64() -> Iterator[None]:
    """Float64 by default inside the test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def small_network(name: str, inputs: int, outputs: int, activation: str = "gelu", seed: int = 0) -> nn.Module:
    """A small network of NETWORKS whose biases and alphas are not all alike."""
    torch.manual_seed(seed)
    network = NETWORKS[name](inputs, outputs, width=7, blocks=2, activation=activation)
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


TINY = ["--width", "6", "--blocks", "1", "--points", "60", "--optimizer", "adam", "--precision", "64"]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs train.py in this process, runs in a temporary folder: command(*flags) -> (exit code, stdout, stderr)."""

    def call(*flags: str, tiny: bool = True) -> tuple[int, str, str]:
        words = list(flags)
        verb = [words.pop(0)] if words and words[0] in ("fit", "validate", "test", "predict") else []
        capsys.readouterr()
        code = main([*verb, *(TINY if tiny else []), "--folder", str(tmp_path / "runs"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call
