"""Commands on a run that there is already: --resume, validate, test, predict."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
import torch


def test_resume_goes_on_in_the_same_folder(command, tmp_path: Path) -> None:
    flags = ("--optimizer", "adam 5, lbfgs", "--log_every", "1")
    assert command("--steps", "8", *flags, "--name", "whole")[0] == 0
    assert command("--steps", "3", *flags, "--name", "half")[0] == 0
    assert command("--resume", str(tmp_path / "runs/half"), "--steps", "8", tiny=False)[0] == 0
    whole, half = (tmp_path / "runs" / name for name in ("whole", "half"))
    a, b = (torch.load(p / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for p in (whole, half))
    assert all(torch.equal(a[k], b[k]) for k in a)
    logged = [[r.split(",")[0] for r in (p / "metrics.csv").read_text().splitlines()] for p in (whole, half)]
    assert len(logged[0]) == len(logged[1])
    assert json.loads((half / "summary.json").read_text())["steps"] == 8


def test_resume_last_takes_the_latest_run(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "one")
    command("--steps", "2", "--name", "two")
    code, out, _ = command("--resume", "last", "--steps", "4", tiny=False)
    assert code == 0
    assert "runs/two" in out.replace("\n", "")


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_validate_and_test_print_the_error_of_a_run(command, tmp_path: Path, verb: str) -> None:
    command("--steps", "4")
    code, out, err = command(verb, "--ckpt_path", str(tmp_path / "runs/wave-1"), tiny=False)
    assert (code, err) == (0, "")
    assert re.search(r"(val|test)/rel_l2 +\d\.\d+e", out)


def test_predict_on_points_from_a_file(command, tmp_path: Path) -> None:
    import numpy as np

    command("--steps", "4")
    np.save(tmp_path / "points.npy", np.random.default_rng(0).random((7, 2)))
    checkpoint = ("--ckpt_path", str(tmp_path / "runs/wave-1"))
    code, _, err = command("predict", *checkpoint, "--predict_points", str(tmp_path / "points.npy"), tiny=False)
    assert (code, err) == (0, "")
    with np.load(tmp_path / "runs/wave-1/prediction.npz") as file:
        assert file["points"].shape == (7, 2)
        assert file["values"].shape == (7, 1)
    assert command("predict", *checkpoint, tiny=False)[0] == 0
    with np.load(tmp_path / "runs/wave-1/prediction.npz") as file:
        assert file["values"].shape == (40_000, 1)


def test_embedding_and_exact_conditions_train_and_resume(command, tmp_path: Path) -> None:
    flags = ("--problem", "convection", "--windows", "1", "--periodic", "x", "--fourier", "4", "--exact", "all")
    assert command("--steps", "4", *flags, "--name", "whole")[0] == 0
    assert command("--steps", "2", *flags, "--name", "half")[0] == 0
    assert command("--resume", str(tmp_path / "runs/half"), "--steps", "4", tiny=False)[0] == 0
    a, b = (torch.load(tmp_path / f"runs/{n}/checkpoints/last.ckpt", weights_only=True) for n in ("whole", "half"))
    assert all(torch.equal(a["state_dict"][k], b["state_dict"][k]) for k in a["state_dict"])
    header = (tmp_path / "runs/whole/metrics.csv").read_text().splitlines()[0]
    assert "loss/pde" in header
    assert "loss/initial" not in header and "loss/periodic_x" not in header
    code, out, err = command("test", "--ckpt_path", str(tmp_path / "runs/whole"), tiny=False)
    assert (code, err) == (0, "")
    assert "test/rel_l2" in out


def test_checkpoints_that_cannot_be_used(command, tmp_path: Path) -> None:
    command("--steps", "3", "--name", "a")
    last = tmp_path / "runs/a/checkpoints/last.ckpt"
    good = last.read_bytes()
    code, _, err = command("--resume", str(last), "--width", "9", "--steps", "5", tiny=False)
    assert (code, err.count("\n")) == (2, 1)
    assert "is of another network" in err
    code, _, err = command("--resume", str(last), tiny=False)
    assert code == 2
    assert "has had 3 steps already" in err
    for content in (good[: len(good) // 2], b"", b"hello"):
        last.write_bytes(content)
        code, _, err = command("--resume", str(last), "--steps", "5", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "cannot be read" in err
    torch.save({"weights": 3}, last)
    assert "no checkpoint of a MaskPINN" in command("--resume", str(last), "--steps", "5", tiny=False)[2]


def test_ctrl_c_keeps_a_checkpoint_that_resume_continues(command, tmp_path: Path, monkeypatch) -> None:
    from mask_pinns import MaskPINN

    original, steps = MaskPINN.training_step, []
    before = signal.getsignal(signal.SIGINT)

    def interrupted(self, points, index):
        steps.append(index)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, points, index)

    monkeypatch.setattr(MaskPINN, "training_step", interrupted)
    code, out, _ = command("--steps", "10")
    assert code == 130
    assert "interrupted" in out
    monkeypatch.setattr(MaskPINN, "training_step", original)
    run = tmp_path / "runs/wave-1"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 4
    assert command("--resume", str(run), "--steps", "10", tiny=False)[0] == 0
    assert command("--steps", "10", "--name", "whole")[0] == 0
    a, b = (
        torch.load(p / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for p in (run, tmp_path / "runs/whole")
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_refused_resume_changes_nothing(command, tmp_path: Path) -> None:
    command("--steps", "5", "--optimizer", "adam 3, lbfgs 2", "--name", "a")
    run = tmp_path / "runs/a"
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for flags in (["--optimizer", "lbfgs 30"], ["--optimizer", "adam 3, adam"], ["--lr", "0.5"]):
        code, _, err = command("--resume", str(run), "--steps", "9", *flags, tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "trained by other phases" in err
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert command("--resume", str(run), "--steps", "7", tiny=False)[0] == 0
    assert json.loads((run / "summary.json").read_text())["steps"] == 7, "a larger --steps lengthens the last phase"


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY"])
def test_points_files_that_cannot_be_read(command, tmp_path: Path, content: bytes) -> None:
    command("--steps", "2", "--name", "a")
    (tmp_path / "p.npy").write_bytes(content)
    run = str(tmp_path / "runs/a")
    code, _, err = command("predict", "--ckpt_path", run, "--predict_points", str(tmp_path / "p.npy"), tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert "p.npy cannot be read" in err


def test_a_new_run_begins_with_the_weights_of_another(command, tmp_path: Path) -> None:
    """Another coefficient, optimizer and precision; its own folder; the first loss is that of the other's weights."""
    runs = tmp_path / "runs"
    assert command("--steps", "4", "--name", "old", "--validate_every", "2")[0] == 0
    flags = ["--from", str(runs / "old"), "--problem.c", "1.1", "--optimizer", "soap", "--lr", "1e-6", "--steps", "1"]
    code, out, err = command(*flags, "--name", "new", tiny=False)
    assert (code, err) == (0, "") and "begins with the weights of" in " ".join(out.split())
    old, best = (torch.load(runs / "old/checkpoints" / f"{n}.ckpt", weights_only=True) for n in ("last", "best"))
    new = torch.load(runs / "new/checkpoints/last.ckpt", weights_only=True)
    assert new["global_step"] == 1 and old["global_step"] == 4
    moved = {k: (v - best["state_dict"][k]).norm() / v.norm() for k, v in new["state_dict"].items() if v.ndim == 2}
    assert max(moved.values()) < 1e-3, "one small step from there"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--width", "7"], "has another network"),
        (["--resume", "last"], "--from begins a new run with the weights of another one: leave out --resume"),
        (["--from", "nowhere"], "checkpoint nowhere does not exist"),
    ],
)
def test_weights_that_a_new_run_cannot_begin_with(command, tmp_path: Path, flags: list[str], message: str) -> None:
    assert command("--steps", "2", "--name", "old")[0] == 0
    code, _, err = command("--from", str(tmp_path / "runs/old"), *flags, "--steps", "3", tiny=False)
    assert (code, err.count("\n")) == (2, 1) and message in err, err


def test_a_refused_resume_names_the_way_to_begin_anew(command, tmp_path: Path) -> None:
    assert command("--steps", "2", "--name", "old")[0] == 0
    code, _, err = command("--resume", str(tmp_path / "runs/old"), "--problem.c", "1.1", "--steps", "3", tiny=False)
    assert code == 2 and "--from RUN" in err
