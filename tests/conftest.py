"""What tests share: float64 where it is asked for, small networks with no special values in them, a tiny run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import train
from mask_pinns import NETWORKS
from mask_pinns.intervals import burst


@pytest.fixture
def float64() -> Iterator[None]:
    """Float64 by default inside the test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


CALM = {"siren": {"omega": 3.0}}
"""Options by network where noise on the weights would drown in rounding, or saturate, with its own."""


def small_network(name: str, inputs: int, outputs: int, activation: str = "gelu", seed: int = 0) -> nn.Module:
    """A small network of NETWORKS whose biases and alphas are not all alike."""
    torch.manual_seed(seed)
    network = NETWORKS[name](inputs, outputs, width=7, blocks=2, activation=activation, **CALM.get(name, {}))
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


def events(folder: Path) -> EventAccumulator:
    """All that a run has written for TensorBoard."""
    found = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


TINY = ["--width", "6", "--blocks", "1", "--points", "60", "--optimizer", "adam", "--precision", "64"]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs train.py in this process, runs in a temporary folder: command(*flags) -> (exit code, stdout, stderr)."""

    def call(*flags: str, tiny: bool = True) -> tuple[int, str, str]:
        words = list(flags)
        verb = [words.pop(0)] if words and words[0] in ("fit", "validate", "test", "predict") else []
        capsys.readouterr()
        code = train.main([*verb, *(TINY if tiny else []), "--folder", str(tmp_path / "runs"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def planned(run: train.Run) -> int:
    """In place of `fit`: what is settled before the first step."""
    assert run.steps > 0 and burst(run.config.burst, run.every) > 0 and min(run.every.values()) > 0
    return 0


@pytest.fixture
def answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`python train.py` all but the training, unless `trains`: "" where all is well, else the line that answers."""
    really = train.fit
    monkeypatch.chdir(tmp_path)

    def call(words: list[str], trains: bool = False) -> str:
        monkeypatch.setattr(train, "fit", really if trains else planned)
        capsys.readouterr()
        got, err = train.main(words), capsys.readouterr().err
        assert got in ((0, 1, 2) if trains else (0, 2)), (got, err)
        assert err.count("\n") == bool(got) and "Traceback" not in err, err
        assert not got or (err.startswith("error: " if got == 2 else "stopped: ") and len(err) > 20), err
        return err

    return call


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", help="folder for the browser tests' pictures")


def loads(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True, map_location="cpu")


def same(a: Path, b: Path) -> bool:
    """Whether two checkpoints hold the same weights, to the last bit."""
    one, other = (loads(path)["state_dict"] for path in (a, b))
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert train.main([*TINY, "--steps", "2", "--compile", "off", "--name", "a", "--folder", str(folder)]) == 0
    return folder / "a"


@pytest.fixture
def run_a(trained: Path, tmp_path: Path) -> Path:
    """A run of two steps, to be spoilt; best.ckpt and last.ckpt are both of the second."""
    return Path(shutil.copytree(trained, tmp_path / "runs/a"))
