"""Runs in time windows, by the command line: files, resume to the last bit, windows that find their length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mask_pinns import MaskPINN
from mask_pinns.report.page import main as report
from mask_pinns.report.run_record import RunRecord
from mask_pinns.stepper import Stepper

WINDOWS = ["--windows", "3", "--steps", "6", "--exact", "initial"]


def trained(tmp_path: Path, command, *flags: str, name: str = "run") -> Path:
    code, _, err = command("--name", name, *WINDOWS, *flags)
    assert code == 0, err
    return tmp_path / "runs" / name


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]


def test_a_run_in_windows_is_one_solution(command, tmp_path: Path) -> None:
    run = trained(tmp_path, command)
    record, summary = (json.loads((run / f"{name}.json").read_text()) for name in ("windows", "summary"))
    assert [w["end"] for w in record["windows"]] == pytest.approx([5 / 3, 10 / 3, 5.0])
    assert summary["steps"] == 18 and len(summary["windows"]) == 3 and summary["largest_jump"] <= 1e-12
    last = [json.loads((run / f"window-{k}/summary.json").read_text())["loss"] for k in (1, 2, 3)]
    assert summary["loss"] == max(last) and summary["val_loss"] == max(w["loss"] for w in record["windows"])
    assert summary["errors"]["u"]["rel_l2"] > 0 and (run / "solution.png").is_file()
    assert sorted(p.name for p in run.glob("window-*")) == ["window-1", "window-2", "window-3"]
    assert all((run / f"window-{k}" / "drift.csv").is_file() for k in (1, 2, 3))

    module = MaskPINN.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu")
    assert module.network.ends == tuple(w["end"] for w in record["windows"])
    for k, window in enumerate(record["windows"]):
        saved = torch.load(run / window["weights"], weights_only=True)["state_dict"]
        own = module.network.parts[k].state_dict()
        assert all(torch.equal(own[name.removeprefix("network.")], value) for name, value in saved.items()
                   if name.startswith("network."))  # fmt: skip

    code, out, err = command("predict", "--ckpt_path", str(run), "--predict_derivatives", "x", tiny=False)
    assert code == 0, err
    written = np.load(run / "prediction.npz")
    np.testing.assert_allclose(written["values"], module.predict(written["points"]), rtol=0, atol=1e-14)
    assert np.isfinite(written["u_x"]).all()
    code, out, err = command("test", "--ckpt_path", "last", tiny=False)
    errors = dict(line.split() for line in out.splitlines() if line.startswith("test/"))
    assert code == 0 and float(errors["test/rel_l2"]) == pytest.approx(summary["rel_l2"], rel=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "gauss_newton"])
def test_a_run_that_is_interrupted_in_its_third_window_goes_on_with_the_same_bits(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    flags = ["--optimizer", optimizer, "--window_fresh", "0.3"]
    whole = trained(tmp_path, command, *flags, name="whole")
    step, seen = Stepper.step, []

    def interrupted(self: Stepper, points):
        seen.append(self.host.problem.domain["t"][0])
        if seen[-1] > 3 and self.host.global_step == 4:
            raise KeyboardInterrupt
        return step(self, points)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", interrupted)
        with pytest.raises(SystemExit):
            command("--name", "cut", *WINDOWS, *flags)
    cut = tmp_path / "runs" / "cut"
    assert len(json.loads((cut / "windows.json").read_text())["windows"]) == 2 and len(seen) == 17
    code, _, err = command("test", "--ckpt_path", str(cut), tiny=False)
    assert code == 2 and "go on with --resume first" in err
    code, _, err = command("--resume", str(cut), tiny=False)
    assert code == 0, err
    ours, theirs = weights(cut), weights(whole)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (cut / "window-3/metrics.csv").read_text().count("\n") == (whole / "window-3/metrics.csv").read_text().count(
        "\n"
    )


def test_a_window_that_ends_before_its_first_checkpoint_is_begun_again(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Stepper.step

    def interrupted(self: Stepper, points):
        if self.host.problem.domain["t"][0] > 0:
            raise KeyboardInterrupt
        return step(self, points)

    run = tmp_path / "runs" / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", interrupted)
        with pytest.raises(SystemExit):
            command("--name", "run", *WINDOWS)
    assert (run / "window-2").is_dir() and not list(run.glob("window-2/checkpoints/*"))
    (run / "window-2" / "metrics.csv").write_text("step,loss\n1,2.0\n")
    code, _, err = command("--resume", str(run), tiny=False)
    assert code == 0, err
    ours, theirs = weights(run), weights(trained(tmp_path, command, name="other"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    tables = [(tmp_path / "runs" / name / "window-2/metrics.csv").read_text() for name in ("run", "other")]
    assert tables[0].count("\n") == tables[1].count("\n")


def test_resume_refuses_what_the_windows_were_not_trained_for(command, tmp_path: Path) -> None:
    run = trained(tmp_path, command)
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    for flags, message in [
        (["--windows", "4"], "was begun with --windows 3, not 4"),
        (["--windows", "1"], "is a run in time windows"),
        (["--problem.c", "3"], "is of another problem: problem.c 1.0 there, 3.0 here"),
        (["--width", "7"], "is of another network: network.width 6 there, 7 here"),
        (["--steps", "9"], "are trained already"),
    ]:
        code, _, err = command("--resume", str(run), *flags, tiny=False)
        assert code == 2 and message in err and err.count("\n") == 1, err
    assert all(path.read_bytes() == content for path, content in files.items())

    code, _, _ = command("--name", "plain", "--steps", "2")
    code, _, err = command("--resume", str(tmp_path / "runs/plain"), "--windows", "2", tiny=False)
    assert code == 2 and "is no run in time windows" in err


def test_a_session_that_ends_between_a_window_and_the_next_loses_nothing(command, tmp_path: Path) -> None:
    run, other = trained(tmp_path, command), trained(tmp_path, command, name="other")
    record = json.loads((run / "windows.json").read_text())
    record["windows"].pop()
    (run / "windows.json").write_text(json.dumps(record))
    (run / "summary.json").unlink()
    summary = json.loads((run / "window-3/summary.json").read_text())
    (run / "window-3/summary.json").write_text(json.dumps(summary | {"stop_reason": "interrupted"}))
    code, _, err = command("--resume", str(run), tiny=False)
    assert code == 0, err
    ours, theirs = weights(run), weights(other)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_window_begins_with_the_weights_of_another_run(command, tmp_path: Path) -> None:
    command("--name", "plain", "--steps", "2", "--exact", "initial")
    code, out, err = command("--from", str(tmp_path / "runs/plain"), "--name", "run", "--windows", "2", "--steps", "1",
                             "--optimizer", "[{optimizer: adam, lr: 1.0e-30}]", tiny=False)  # fmt: skip
    assert code == 0 and "begins with the weights of" in out, err
    plain, first = weights(tmp_path / "runs/plain"), weights(tmp_path / "runs/run")
    name = "network.core.input_layer.linear.weight"
    name = next(n for n in plain if n.endswith("weight")) if name not in plain else name
    torch.testing.assert_close(first[name.replace("network.", "network.parts.0.")], plain[name], rtol=0, atol=1e-12)


def test_phases_with_a_precision_of_their_own_have_windows(command, tmp_path: Path) -> None:
    phases = "[{optimizer: adam, steps: 2}, {optimizer: lbfgs, precision: 64, max_iter: 2, steps: 2}]"
    run = trained(tmp_path, command, "--optimizer", phases, "--precision", "32", "--windows", "2", "--steps", "4")
    code, _, err = command("test", "--ckpt_path", str(run), tiny=False)
    assert code == 0, err


@pytest.mark.parametrize("longest", [1.3, 0.0])
def test_windows_that_miss_their_target_are_halved(command, tmp_path: Path, monkeypatch, longest: float) -> None:
    """Here a window reaches its target, after a quarter of its steps, if it is short enough."""
    step = Stepper.step

    def reached(self: Stepper, points):
        start, end = self.host.problem.domain["t"]
        result = step(self, points)
        return result._replace(ends="target") if end - start <= longest and self.host.global_step >= 2 else result

    monkeypatch.setattr(Stepper, "step", reached)
    monkeypatch.setattr("mask_pinns.windows.spans.FIRST_PARTS", 2)
    monkeypatch.setattr("mask_pinns.windows.spans.SHORTEST", 0.1)
    flags = ["--steps", "8", "--exact", "initial", "--loss_target", "1e-9", "--windows", "auto"]
    code, out, err = command("--name", "run", *flags)
    run = tmp_path / "runs" / "run"
    missed = [path.name for path in sorted(run.glob("missed-*"))]
    assert len(missed) == out.count("it missed its target: again") and missed[0] == "missed-1-window-1"
    if not longest:
        assert code == 1 and "misses its target, and shorter ones are not made" in err
        assert json.loads((run / "windows.json").read_text())["windows"] == []
        return
    assert code == 0, err
    windows = json.loads((run / "windows.json").read_text())["windows"]
    ends = [w["end"] for w in windows]
    assert ends[-1] == 5.0 and [w["start"] for w in windows] == [0.0, *ends[:-1]]
    assert ends[0] == 1.25, "2.5 missed the target, half of it does not"
    assert ends[1] == 1.25 + 1.875 / 2, "the next one was longer, because the first one was easy, and missed it"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--windows", "0"], "expected a number from 1"),
        (["--windows", "9.0"], "ends increase between 0 and 5"),
        (["--windows", "some"], "expected their number"),
        (["--windows", "auto"], "needs a target"),
        (["--windows", "2", "--on_stall", "retry"], "--windows auto"),
        (["--config", "default", "--problem", "wave", "--windows", "auto"], "needs a target"),
        (["--windows", "2", "--trainer.max_time", "00:00:01:00"], "max_time"),
        (["--problem", "helmholtz", "--windows", "2"], "need a coordinate t"),
        (["--problem", "cooling", "--windows", "2"], "has unknowns"),
        (["--windows", "2", "--window_fresh", "2"], "window_fresh"),
    ],
    ids=lambda case: "_".join(case) if isinstance(case, list) else None,
)
def test_what_cannot_be_done_in_windows_answers_in_one_line(command, tmp_path: Path, flags, message: str) -> None:
    code, _, err = command(*flags)
    assert code == 2 and message in err and err.count("\n") == 1, err
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_the_plan_tells_of_windows(command) -> None:
    code, out, err = command("--windows", "5", "--dry_run", "--steps", "7")
    assert code == 0 and "window 1 of 5: t from 0 to 1" in out, err
    assert "5, which end at t = 1, 2, 3, 4, 5: 35 steps" in " ".join(out.split()).replace(" │ │ │ ", " "), out


def test_the_report_shows_all_windows(command, tmp_path: Path) -> None:
    run = trained(tmp_path, command)
    assert report([str(run)]) == 0
    text = (run / "report.html").read_text()
    assert "Time windows of run" in text and "window 3, " in text and "1.66667 to 3.33333" in text
    record = RunRecord.read(run)
    steps = [row["step"] for row in record.metrics]
    assert steps == sorted(steps) and max(steps) == 18
    windows = {layer.partition(",")[0] for layer in record.layers_with("feature_std")}
    assert windows == {"window 1", "window 2", "window 3"}


def test_the_default_recipe_has_windows(command, tmp_path: Path) -> None:
    """Its on_stall is retry, and its target is to never end too soon."""
    code, out, err = command(
        "--config", "default", "--problem", "burgers", "--windows", "2", "--steps", "2", "--name", "run"
    )
    assert code == 0, err
    code, _, err = command("--from", str(tmp_path / "runs/run"), "--windows", "2", "--name", "other")
    assert code == 2 and "is a run in time windows; name one" in err and not (tmp_path / "runs/other").exists()
    code, out, _ = command("--window_fresh", "0.5", "--steps", "1")
    assert "--window_fresh has no effect" in out
