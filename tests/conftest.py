"""Fixtures that tests share: float64 where it is asked for, the command line in this process, a tiny run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import TINY, blank_pictures, real_pictures

from mask_pinns.cli import main as command_line
from mask_pinns.cli.parser import COMMANDS
from mask_pinns.cli.run import Run
from mask_pinns.cli.trainer import burst
from mask_pinns.cli.training import fit


@pytest.fixture(scope="session", autouse=True)
def _blank_pictures() -> Iterator[None]:
    """Runs of the tests save blank pictures, unless one asks for real ones."""
    with pytest.MonkeyPatch.context() as patch:
        blank_pictures(patch)
        yield


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this test save pictures as they do for users."""
    real_pictures(monkeypatch)


@pytest.fixture
def float64() -> Iterator[None]:
    """Float64 by default inside the test."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs train.py in this process, runs in a temporary folder: command(*flags) -> (exit code, stdout, stderr)."""

    def call(*flags: str, tiny: bool = True) -> tuple[int, str, str]:
        words = list(flags)
        verb = [words.pop(0)] if words and words[0] in COMMANDS else []
        capsys.readouterr()
        code = command_line.main([*verb, *(TINY if tiny else []), "--folder", str(tmp_path / "runs"), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def planned(run: Run) -> int:
    """In place of `fit`: what is settled before the first step."""
    assert run.steps > 0 and burst(run.config.burst, run.every) > 0 and min(run.every.values()) > 0
    return 0


@pytest.fixture
def answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `python train.py` without the training, unless `trains`; returns the answering line, "" if all is well."""
    really = fit.fit
    monkeypatch.chdir(tmp_path)

    def call(words: list[str], trains: bool = False) -> str:
        monkeypatch.setattr(fit, "fit", really if trains else planned)
        capsys.readouterr()
        got, err = command_line.main(words), capsys.readouterr().err
        assert got in ((0, 1, 2) if trains else (0, 2)), (got, err)
        assert err.count("\n") == bool(got) and "Traceback" not in err, err
        assert not got or (err.startswith("error: " if got == 2 else "stopped: ") and len(err) > 20), err
        return err

    return call


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", help="folder for the browser tests' pictures")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert command_line.main([*TINY, "--steps", "2", "--compile", "off", "--name", "a", "--folder", str(folder)]) == 0
    return folder / "a"


@pytest.fixture
def run_a(trained: Path, tmp_path: Path) -> Path:
    """A run of two steps, to be spoilt; best.ckpt and last.ckpt are both of the second."""
    return Path(shutil.copytree(trained, tmp_path / "runs/a"))
