"""Symbolic links that somebody put into a run folder are not followed, whatever is written or shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import FULLY_RECORDED, loads

from mask_pinns.callbacks import WholeFiles
from mask_pinns.callbacks.checkpoints import NotSaved
from mask_pinns.callbacks.csv_files import read_intact_rows
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.report.page import main as report
from mask_pinns.report.run_record import RunRecord
from mask_pinns.stepper import Stepper

PRIVATE = "step,private\n0,1\n1,2\n"
"""A file elsewhere, in the form of a table of a run, so that it is read and continued if it is taken for one."""
WRITTEN = [
    "config.yaml", "config.yaml.part", "summary.json", "summary.json.part", "metrics.csv", "metrics.csv.part",
    "drift.csv", "drift.csv.part", "alarms.txt", "alarms.txt.part", "solution.png", "solution.png.part",
    "hparams.yaml", ".lock", "checkpoints/best.ckpt.part", "checkpoints/last.ckpt.part",
]  # fmt: skip
"""What a resumed run writes, beside its checkpoints."""


def plant(link: Path, target: Path, content: str = PRIVATE) -> Path:
    """A link to a private file in place of what is at this path."""
    target.parent.mkdir(exist_ok=True)
    target.write_text(content)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return target


def test_no_file_of_a_run_is_written_through_a_link(command, run_a: Path, tmp_path: Path) -> None:
    targets = [
        plant(run_a / name, tmp_path / f"private/{i}") for i, name in enumerate(WRITTEN) if name != "config.yaml"
    ]
    words = ["--steps", "30", "--validate_every", "5", "--statistics_every", "5", *FULLY_RECORDED]
    code, _, err = command("--resume", str(run_a), *words, tiny=False)
    assert (code, err) == (0, "")
    assert all(target.read_text() == PRIVATE for target in targets)
    assert not [path for path in run_a.rglob("*") if path.is_symlink()]
    assert loads(run_a / "checkpoints/last.ckpt")["global_step"] == 30
    columns, rows = read_intact_rows(run_a / "metrics.csv")
    assert "private" not in columns and rows


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_checkpoints_that_are_links_are_replaced(command, run_a: Path, tmp_path: Path, name: str) -> None:
    path = run_a / "checkpoints" / name
    target = tmp_path / name
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    assert command("--resume", str(run_a), "--steps", "6", tiny=False)[0] == 0
    assert target.read_bytes() == before
    assert not path.is_symlink() and loads(path)["global_step"] > 2


def test_a_folder_of_checkpoints_that_is_a_link_is_refused(command, run_a: Path, tmp_path: Path) -> None:
    (run_a / "checkpoints").rename(tmp_path / "elsewhere")
    (run_a / "checkpoints").symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere/last.ckpt").read_bytes()
    code, _, err = command("--resume", str(run_a), "--steps", "6", tiny=False)
    assert (
        (code, err.count("\n")) == (2, 1) and "checkpoints is a link to" in err and "put a folder in its place" in err
    )
    assert (tmp_path / "elsewhere/last.ckpt").read_bytes() == before
    with pytest.raises(NotSaved, match="is a link to"):
        WholeFiles().save_checkpoint({"a": torch.ones(3)}, run_a / "checkpoints/last.ckpt")
    assert command("test", "--ckpt_path", str(run_a), tiny=False)[0] == 0, "it can be read"


def test_a_run_folder_may_be_a_link(command, run_a: Path, tmp_path: Path) -> None:
    """People keep runs on other disks."""
    run_a.rename(tmp_path / "disk")
    run_a.symlink_to(tmp_path / "disk")
    assert command("--resume", str(run_a), "--steps", "6", tiny=False)[0] == 0
    assert loads(tmp_path / "disk/checkpoints/last.ckpt")["global_step"] == 6
    (tmp_path / "linked").symlink_to(tmp_path / "runs")
    assert command("--steps", "1", "--folder", str(tmp_path / "linked"), "--name", "b")[0] == 0


@pytest.mark.parametrize("name", ["prediction.npz", "prediction.npz.part"])
def test_a_prediction_is_not_written_through_a_link(command, run_a: Path, tmp_path: Path, name: str) -> None:
    target = plant(run_a / name, tmp_path / "private/p")
    assert command("predict", "--ckpt_path", str(run_a), tiny=False)[0] == 0
    assert target.read_text() == PRIVATE and not (run_a / "prediction.npz").is_symlink()


def test_a_link_that_is_planted_while_a_run_trains(command, tmp_path: Path, monkeypatch) -> None:
    """Tables are appended to; a link in their place is not."""
    targets: list[Path] = []
    step = Stepper.step

    def planting(self: Stepper, points: Any) -> Any:
        for name in ("metrics.csv", "drift.csv"):
            targets.append(plant(tmp_path / "runs/a" / name, tmp_path / f"private/{len(targets)}"))
        return step(self, points)

    monkeypatch.setattr(Stepper, "step", planting)
    words = ["--steps", "12", "--validate_every", "3", "--statistics_every", "3", "--log_every", "1", "--name", "a"]
    assert command(*words)[0] == 0
    assert targets and all(target.read_text() == PRIVATE for target in targets)


def test_a_part_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_text("half of")
    with whole_file(tmp_path / "a.txt") as file:
        file.write("whole")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


SHOWN = {
    "solution.png": "PRIVATE PICTURE",
    "summary.json": '{"problem": "PRIVATE"}',
    "config.yaml": "secret: PRIVATE",
    "metrics.csv": "step,loss,PRIVATE\n0,1,2\n",
    "drift.csv": "step,layer,feature_drift\n0,PRIVATE,1\n",
    "alarms.txt": "PRIVATE\n",
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_report_shows_no_file_from_elsewhere(run_a: Path, tmp_path: Path, capsys, name: str) -> None:
    plant(run_a / name, tmp_path / "private/secret", SHOWN[name])
    page = plant(run_a / "report.html", tmp_path / "private/page")
    assert report([str(run_a)]) == 0
    assert f"left out, because links are not followed: {run_a / name}" in capsys.readouterr().out
    assert page.read_text() == PRIVATE and not (run_a / "report.html").is_symlink()
    text = (run_a / "report.html").read_text()
    assert "PRIVATE" not in text and "UFJJVkFURSBQSUNUVVJF" not in text  # in base64
    assert (RunRecord.read(run_a).picture() == "") == (name == "solution.png")


def test_a_folder_of_links_is_no_run(tmp_path: Path, capsys) -> None:
    (tmp_path / "r").mkdir()
    plant(tmp_path / "r/config.yaml", tmp_path / "secret", "a: PRIVATE")
    assert report([str(tmp_path / "r")]) == 2
    assert "is no run" in capsys.readouterr().err
