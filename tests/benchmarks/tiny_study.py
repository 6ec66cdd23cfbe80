"""A study small enough for tests, its command line, and its evidence made up."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

TINY = {
    "title": "t", "question": "q", "budget": "b",
    "axes": {"network.mask": [False, True], "seed": [0, 1]},
    "compare": {"axis": "network.mask", "baseline": False},
    "settings": {"problem": "wave", "network.width": 5, "network.blocks": 1, "optimizer": "adam", "steps": 40,
                 "points": {"pde": 40}, "precision": 64, "validate_every": 4, "statistics_every": 20},
}  # fmt: skip


def write(path: Path, **changes: object) -> Path:
    """A study's file: the tiny one, with other values for some keys."""
    path.write_text(yaml.safe_dump(TINY | changes, sort_keys=False))
    return path


def command(study: Path, *flags: str) -> list[str]:
    """Runs a study's file with its cells and results beside it, one cell at a time unless the flags say more."""
    folder = study.parent
    places = ["--out", str(folder / "cells"), "--results", str(folder / "results"), "--workers", "1"]
    return [sys.executable, str(BENCHMARKS / "study.py"), str(study), *places, *flags]
