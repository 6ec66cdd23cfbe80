"""The doctor: an inventory in lines, trials that can fail, and an exit code that says so."""

from __future__ import annotations

import pytest
import torch

from mask_pinns.doctor import examination
from mask_pinns.doctor.__main__ import main


def test_the_inventory_names_what_a_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no_trials"]) == 0
    said = capsys.readouterr().out
    for word in (
        "mask-pinns",
        "python",
        "torch " + torch.__version__.partition("+")[0],
        "cores",
        "GiB free",
        "compiler",
    ):
        assert word in said, word
    assert said.endswith("nothing was tried\n")


def test_derivatives_are_tried(float64) -> None:
    assert examination.derivatives_differ(torch.device("cpu")) < examination.AGREES


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(examination, "derivatives_differ", lambda device: 0.1)
    monkeypatch.setattr(examination, "compiled_differs", lambda device: 0.0)
    assert main([]) == 1
    said = capsys.readouterr().out
    assert "differ by 1e-01 on cpu" in said and "<- this is wrong" in said
    assert "does not work: derivatives" in said


@pytest.mark.parametrize("trial", [lambda device: float("nan"), lambda device: 1 / 0], ids=["NaN", "raises"])
def test_what_breaks_is_found_too(trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "compiled_differs", trial)
    (compiled,) = [found for found in examination.trials() if found[0] == "compiled" and "cpu" in found[1]]
    assert not compiled[2]


def test_a_machine_without_a_compiler_is_not_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(device):
        raise ValueError("cannot compile here: no compiler")

    monkeypatch.setattr(examination, "compiled_differs", fails)
    found = list(examination.trials())
    assert all(holds for _, _, holds in found) and any("no compiler" in text for _, text, _ in found)
