"""The scripts of the gallery and the notebooks run at small size, and make their pictures."""

from __future__ import annotations

import shutil
from pathlib import Path
from runpy import run_path

import matplotlib
import pytest
import small
from helpers import ROOT

GALLERY = sorted((ROOT / "docs/gallery").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.py"))


@pytest.mark.parametrize("path", [*GALLERY, *NOTEBOOKS], ids=lambda path: path.stem)
def test_a_script_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    small.small_python(monkeypatch)
    copy = shutil.copy(path, tmp_path)  # it saves its picture beside itself
    run_path(str(copy), run_name="__main__")
    if path in GALLERY:
        assert (tmp_path / f"{path.stem}.png").stat().st_size > 5_000


def test_the_gallery_shows_every_kind_of_problem() -> None:
    kinds = " ".join(path.read_text().split("\n")[1] for path in GALLERY)
    asked = ("forward", "inverse", "shape", "windows", "system", "ordinary", "high-dimensional", "parametrized")
    assert len(GALLERY) >= 15 and all(kind in kinds for kind in asked)
