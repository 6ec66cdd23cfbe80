"""Checkpoints and tables that were cut short or damaged."""

from __future__ import annotations

import csv
import pickle
import re
from pathlib import Path

import pytest
from helpers import same

from mask_pinns.callbacks import MetricsFile
from mask_pinns.callbacks.features.drift_table import DriftTable


def test_a_checkpoint_that_is_cut_short_is_refused_and_the_other_one_offered(command, tmp_path: Path) -> None:
    command("--steps", "8", "--validate_every", "4", "--name", "whole")
    command("--steps", "4", "--validate_every", "4", "--name", "a")
    folder = tmp_path / "runs/a/checkpoints"
    good = (folder / "last.ckpt").read_bytes()
    for content in (good[: len(good) // 2], good[:-1], b"", b"hello", pickle.dumps({"weights": 3})):
        (folder / "last.ckpt").write_bytes(content)
        code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "8", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert f"{folder / 'last.ckpt'} cannot be read" in err
        offered = re.search(r"this one fits: (--resume) (\S+)$", err)
        assert offered is not None, err
    assert command("--resume", "last", "--steps", "8", tiny=False)[0] == 2
    assert command(*offered.groups(), "--steps", "8", tiny=False)[0] == 0
    assert same(folder / "last.ckpt", tmp_path / "runs/whole/checkpoints/last.ckpt"), "the offered one resumes exactly"


def test_where_no_other_checkpoint_can_be_read_none_is_offered(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    for path in (tmp_path / "runs/a/checkpoints").iterdir():
        path.write_bytes(b"")
    for flags in (["--resume", str(tmp_path / "runs/a")], ["test", "--ckpt_path", str(tmp_path / "runs/a")]):
        code, _, err = command(*flags, tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "cannot be read" in err
        assert "this one fits" not in err


def test_tables_that_were_cut_short_are_continued(tmp_path: Path) -> None:
    """A kill in the middle of a row: that row is left out, those before it stay."""
    (tmp_path / "metrics.csv").write_text("loss,step\n0.5,2\n0.25,4\n0.12")
    logger = MetricsFile(tmp_path, resume_at=4)
    logger.log_metrics({"loss": 0.1, "val": 1.0}, step=6)
    logger.save()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [(r["step"], r["loss"], r["val"]) for r in csv.DictReader(file)] == [
            ("2", "0.5", ""), ("4", "0.25", ""), ("6", "0.1", "1.0"),
        ]  # fmt: skip
    (tmp_path / "drift.csv").write_text("step,layer,a\r\n0,x,1.0\r\n500,x,2.0\r\n100")
    DriftTable(tmp_path / "drift.csv", resume_at=1200)
    assert (tmp_path / "drift.csv").read_text().split() == ["step,layer,a", "0,x,1.0", "500,x,2.0"]


@pytest.mark.parametrize("bad", ["\0\0\0\0", "x,0.1", "-1,0.1", "1.5,0.1", "9", "3,0.1,7", "", ",0.1"])
def test_damaged_rows_of_tables_are_left_out(tmp_path: Path, bad: str) -> None:
    """A disk that lost power leaves zeros, or anything; a good checkpoint must be enough to go on."""
    for name in ("metrics.csv", "drift.csv"):
        (tmp_path / name).write_text(f"step,loss\n2,0.5\n{bad}\n4,0.25\n")
    MetricsFile(tmp_path, resume_at=9)
    DriftTable(tmp_path / "drift.csv", resume_at=9)
    for name in ("metrics.csv", "drift.csv"):
        assert (tmp_path / name).read_text().split() == ["step,loss", "2,0.5", "4,0.25"]


def test_a_table_without_a_column_of_steps_counts_as_empty(command, tmp_path: Path) -> None:
    command("--steps", "2", "--log_every", "1", "--name", "a")
    for name in ("metrics.csv", "drift.csv"):
        (tmp_path / "runs/a" / name).write_text("\0\0\0\0\n1,2\n")
    code, _, err = command("--resume", str(tmp_path / "runs/a"), "--steps", "4", tiny=False)
    assert (code, err) == (0, "")
    with (tmp_path / "runs/a/metrics.csv").open(newline="") as file:
        assert {row["step"] for row in csv.DictReader(file)} == {"3", "4"}


def test_metrics_are_on_the_disk_before_the_first_row_of_a_resumed_run(tmp_path: Path) -> None:
    """Lightning's own logger deletes the file when it begins: a run that is killed then would lose it."""
    (tmp_path / "metrics.csv").write_text("loss,step\n0.5,2\n")
    assert MetricsFile(tmp_path, resume_at=2).experiment is not None
    assert "0.5,2" in (tmp_path / "metrics.csv").read_text()
