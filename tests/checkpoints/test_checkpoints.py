"""Checkpoints: bound to their problem, network and precision; any other file is refused, another one offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import loads

from mask_pinns import MaskPINN
from mask_pinns.checkpoints.compatibility import differences
from mask_pinns.checkpoints.loading import check_resume

# ---- the same run elsewhere ------------------------------------------------------------------------------------------


def test_on_another_number_of_devices_a_resumed_run_says_what_changes(command, tmp_path: Path, monkeypatch) -> None:
    command("--steps", "2", "--name", "a")
    last = tmp_path / "runs/a/checkpoints/last.ckpt"
    assert loads(last)["ranks"] == 1
    assert "device(s)" not in command("--resume", "last", "--steps", "3", tiny=False)[1]
    torch.save(loads(last) | {"ranks": 4}, last)
    code, out, _ = command("--resume", "last", "--steps", "4", tiny=False)
    assert code == 0
    assert "trained on 4 device(s) so far, on 1 from here" in " ".join(out.split())
    assert loads(last)["ranks"] == 1


# ---- another run's checkpoint ----------------------------------------------------------------------------------------

OTHER = [
    (["--problem", "klein_gordon"], "another problem: problem.name wave there, klein_gordon here"),
    (["--problem.c", "3"], "another problem: problem.c 1.0 there, 3.0 here"),
    (["--activation", "tanh"], "another network: network.activation sin there, tanh here"),
    (["--first_scale", "2"], "another network: network.first_scale 3.0 there, 2.0 here"),
    (["--network", "residual"], "another network: network.name masked there, residual here"),
    (["--exact", "initial"], "another network: exact ['all'] there, ['initial'] here"),
    (["--exact_time", "0.5"], "another network: exact_time 1.0 there, 0.5 here"),
    (["--normalize", "true"], "another network: embedding.normalize False there, True here"),
    (["--scale.t", "3"], "another network: embedding.scale {} there, {'t': 3.0} here"),
    (["--derivatives", "autograd"], "another network: derivatives jet there, autograd here"),
    (["--balance", "2"], "another network: balance off there, on here"),
    (["--precision", "32"], "is float64 there, float32 here; leave --precision as it was"),
]


def test_a_checkpoint_of_another_problem_network_or_precision_is_refused(command, run_a: Path) -> None:
    """Where shapes agree it would be taken, and give numbers that mean nothing."""
    before = {p: p.read_bytes() for p in run_a.rglob("*") if p.is_file()}
    for flags, message in OTHER:
        for verb in (["--resume", str(run_a), "--steps", "4"], ["test", "--ckpt_path", str(run_a)]):
            code, _, err = command(*verb, *flags, tiny=False)
            assert (code, err.count("\n")) == (2, 1), (flags, err)
            assert message in err, flags
            assert "this one fits" not in err, "the run's other one is of the same problem"
    assert {p: p.read_bytes() for p in run_a.rglob("*") if p.is_file()} == before


def test_what_changes_on_resume_is_printed_in_one_line(command, run_a: Path) -> None:
    flags = ["--seed", "9", "--points", "30", "--sampler", "grid", "--causal", "1", "--weights.initial", "3"]
    code, out, err = command("--resume", str(run_a), "--steps", "3", "--exact", "all", *flags, tiny=False)
    assert (code, err) == (0, "")
    message = next(line for line in out.splitlines() if line.startswith("from here on: "))
    for piece in ("seed 0 -> 9", "points {'pde': 60} -> {'pde': 30}", "sampler sobol -> grid", "causal 0.0 -> 1.0",
                  "weights {} -> {'initial': 3.0}"):  # fmt: skip
        assert piece in message
    assert "resample" not in message
    code, out, _ = command("--resume", str(run_a), "--steps", "4", tiny=False)
    assert code == 0
    assert "from here on" not in out, "it goes on with what it was resumed with"


def test_settings_that_say_the_same_are_no_difference() -> None:
    """Tuples as lists, names alone, whole numbers, defaults; what an older version did not know is not compared."""
    here = MaskPINN(
        {"name": "wave", "c": 1}, {"name": "masked", "width": 5}, embedding={"periodic": ("x",)}, exact="initial"
    ).hparams
    there = {
        "problem": {"name": "wave", "c": 1.0}, "network": {"name": "masked", "width": 5, "skip": True},
        "embedding": {"periodic": ["x"], "harmonics": 1}, "exact": ["initial"],
    }  # fmt: skip
    assert differences(there, here) == {}
    assert differences(there | {"problem": {"name": "wave"}}, here) == {}
    assert differences({"network": "masked"} | {"problem": None}, MaskPINN().hparams) == {}
    assert list(differences(there | {"exact": []}, here)) == ["exact"]
    moved = {"name": "/there/mine.py:Mine"}
    assert differences({"problem": moved}, {"problem": {"name": "/here/mine.py:Mine"}}) == {}


def test_a_phase_in_a_precision_of_its_own_can_be_tested_and_resumed(command, tmp_path: Path) -> None:
    phases, run = "[{optimizer: adam, steps: 2, precision: 32}, {optimizer: adam}]", str(tmp_path / "runs/a")
    assert command("--optimizer", phases, "--steps", "1", "--name", "a")[0] == 0
    for dtype, steps in ((torch.float32, "3"), (torch.float64, "4")):
        assert loads(Path(run) / "checkpoints/last.ckpt")["state_dict"]["network.core.output.bias"].dtype == dtype
        for verb in (["test", "--ckpt_path"], ["--steps", steps, "--resume"]):
            code, _, err = command(*verb, run, tiny=False)
            assert (code, err) == (0, "")


# ---- checkpoints that are no checkpoints -----------------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "schedule": [None, {}, {"phases": 3}, {"index": 7}, {"start": "x"}],
    "global_step": [None, "x", -5, 1.5, 1],
    "optimizer_states": [None, [], 3, [{}], [{"state": {}, "param_groups": []}]],
    "lr_schedulers": [None, [], 3],
    "state_dict": [None, [1.0], {"network.a": 3}, {}],
    "pytorch-lightning_version": [None, "1.0.0", 2, "x"],
    "callbacks": [None, 3, {"FeatureStatistics": 3}],
    "loops": [None, {}, {"fit_loop": {}}],
    "PointsDataModule": [{"step": 3}, {"step": 3, "pde": 1}, 4],
    "hyper_parameters": [3, {"problem": 3}, {"network": {}}, {"exact": torch.ones(2)}],
    "good": [{"step": 3}, 3],
}


def test_a_checkpoint_with_a_part_that_is_not_ours_answers_in_one_line(command, run_a: Path) -> None:
    """And the other one of the run, which fits, is named."""
    last, best = run_a / "checkpoints/last.ckpt", run_a / "checkpoints/best.ckpt"
    content = loads(last)
    cases = [(name, value) for name, values in WRONG.items() for value in values]
    for name, value in cases:
        part = content["schedule"] | value if name == "schedule" and value else value
        torch.save(content | {name: part}, last)
        code, _, err = command("--resume", str(run_a), "--steps", "4", tiny=False)
        assert (code, err.count("\n")) == (2, 1), (name, value, err)
        assert err.endswith(f"; this one fits: --resume {best}\n"), (name, value, err)


@pytest.mark.parametrize("name", WRONG)
def test_parts_that_are_missing_are_named_where_training_needs_them(run_a: Path, name: str) -> None:
    last = run_a / "checkpoints/last.ckpt"
    torch.save({k: v for k, v in loads(last).items() if k != name}, last)
    module = MaskPINN(network={"name": "masked", "width": 6, "blocks": 1, "activation": "sin", "first_scale": 3.0},
                      exact="all", exact_time=1.0)  # fmt: skip
    if name in ("hyper_parameters", "PointsDataModule", "good"):
        assert check_resume(last, module, torch.float64)["global_step"] == 2
    else:
        with pytest.raises(ValueError, match=f"{name} is missing; expected .*; this one fits: --resume"):
            check_resume(last, module, torch.float64)


@pytest.mark.parametrize("change", ["half", "whole numbers", "nan"])
def test_weights_that_cannot_be_used_are_refused(command, run_a: Path, change: str) -> None:
    name, best, last = "network.core.output.weight", run_a / "checkpoints/best.ckpt", run_a / "checkpoints/last.ckpt"
    content = loads(best)
    weight = content["state_dict"][name]
    one_nan = weight.clone()
    one_nan[0, 2] = torch.nan
    content["state_dict"][name] = {"half": weight.half(), "whole numbers": weight.long(), "nan": one_nan}[change]
    torch.save(content, best)
    for verb in ("test", "validate", "predict"):
        code, _, err = command(verb, "--ckpt_path", str(run_a), tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert name in err
        assert err.endswith(f"; this one fits: --ckpt_path {last}\n")
    assert command("test", "--ckpt_path", str(last), tiny=False)[0] == 0


def test_a_missing_last_checkpoint_or_a_folder_in_its_place_names_the_other_one(command, run_a: Path) -> None:
    last, best = run_a / "checkpoints/last.ckpt", run_a / "checkpoints/best.ckpt"
    last.unlink()
    for reason in ("No such file or directory", "Is a directory"):
        for given in ("last", str(run_a)):
            code, _, err = command("--resume", given, "--steps", "4", tiny=False)
            assert (code, err.count("\n")) == (2, 1), err
            assert f"{last} cannot be read: {reason}; this one fits: --resume {best}" in err
        last.mkdir(exist_ok=True)
