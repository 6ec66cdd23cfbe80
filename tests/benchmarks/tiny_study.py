"""A study small enough for tests, and ways to run it: as users do, in this process, or in a fork."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from forks import CONTEXT, start_server
from helpers import BENCHMARKS, blank_pictures
from studies import page, workers
from studies.grid import Cell
from study import main

TINY = {
    "title": "t", "question": "q", "budget": "b",
    "axes": {"network.mask": [False, True], "seed": [0, 1]},
    "compare": {"axis": "network.mask", "baseline": False},
    "settings": {"problem": "wave", "network.width": 5, "network.blocks": 1, "optimizer": "adam", "steps": 40,
                 "points": {"pde": 40}, "precision": 64, "validate_every": 4, "statistics_every": 20,
                 "figures_every": 1000, "statistics_record": ["moments"]},
}  # fmt: skip


def write(path: Path, **changes: object) -> Path:
    """A study's file: the tiny one, with other values for some keys."""
    path.write_text(yaml.safe_dump(TINY | changes, sort_keys=False))
    return path


def shortened(cell: Cell, steps: int) -> Cell:
    """The same cell with so many steps of its first optimizer, at few points."""
    few = {"steps": steps, "points": {"pde": 50}, "sampler": "uniform"}
    optimizer = cell.config.get("optimizer", "adam")
    first = optimizer[0] if isinstance(optimizer, list) else str(optimizer).split(",")[0].split()[0]
    first = [{k: v for k, v in first.items() if k != "steps"}] if isinstance(first, Mapping) else first
    return Cell(cell.values, {**cell.config, **few, "optimizer": first})


def words(study: Path, *flags: str) -> list[str]:
    """The command line for a study with its cells and results beside its file, and one worker."""
    folder = study.parent
    places = ["--out", str(folder / "cells"), "--results", str(folder / "results"), "--workers", "1"]
    return [str(study), *places, *flags]


def command(study: Path, *flags: str) -> list[str]:
    """The command for a process of its own, as users start it."""
    return [sys.executable, str(BENCHMARKS / "study.py"), *words(study, *flags)]


def run_here(study: Path, *flags: str) -> int:
    """Runs the study with its queue in this process and its workers in forks, without pictures; the exit code."""
    start_server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "CONTEXT", CONTEXT)
        patch.setattr(workers, "_work", _work)
        patch.setattr(page, "draw", lambda *_: {})
        return main(words(study, *flags))


def _work(*arguments: Any) -> None:
    blank_pictures(pytest.MonkeyPatch())
    workers._work(*arguments)


def forked_queue(given: Sequence[str]) -> int:
    """In a fork: runs the study, its workers are forks of it, without pictures."""
    workers.CONTEXT = multiprocessing.get_context("fork")
    page.draw = lambda *_: {}
    return main(given)
