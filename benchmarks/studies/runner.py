"""The cells of a study on disk: cells that are done stay, unfinished ones continue, failed ones have a reason.

Every cell has a folder: cell.yaml (its configuration), run/ (train.py's run folder), log.txt, and failed.txt if it
failed. A cell is done when run/summary.json says that its training ended normally; one that was interrupted continues
from its last checkpoint, bit by bit. So the queue stores nothing else, and nothing is lost if it is killed.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from mask_pinns.cli.main import main
from mask_pinns.settings.values import write_values
from studies.grid import Cell, Study

UNFINISHED_REASONS = ("interrupted", "stopped by the trainer")
"""Reasons in summary.json why a run that can continue ended."""
INTERRUPT_CODES = (130, 138, 143)
"""Exit codes of a run that saved a checkpoint and ended because of a signal."""


def state(folder: Path) -> str:
    """The state of a cell: "done", "failed", "begun" (it has a checkpoint) or "new"."""
    if (folder / "failed.txt").is_file():
        return "failed"
    summary = folder / "run" / "summary.json"
    if summary.is_file() and json.loads(summary.read_text())["stop_reason"] not in UNFINISHED_REASONS:
        return "done"
    return "begun" if (folder / "run" / "checkpoints" / "last.ckpt").is_file() else "new"


def check_definition(cell: Cell, folder: Path) -> str:
    """The text of the cell's configuration.

    Raises ValueError if the folder contains a cell of another definition: results of two definitions never mix.
    """
    text, stored = write_values(dict(cell.config), sort_keys=True), folder / "cell.yaml"
    if stored.is_file() and stored.read_text() != text:
        raise ValueError(f"{folder} holds a cell of another definition; remove it, or choose another --out")
    return text


def prepare(cells: Sequence[Cell], out: Path, retry: bool) -> list[Cell]:
    """Makes the folders of the cells, and returns the cells to run. With `retry`, failed ones run again from the start.

    Raises ValueError as `check_definition` does.
    """
    remaining = []
    for cell in cells:
        folder = out / cell.name
        text = check_definition(cell, folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cell.yaml").write_text(text)
        if state(folder) == "failed" and retry:
            (folder / "failed.txt").unlink()
            shutil.rmtree(folder / "run", ignore_errors=True)
        if state(folder) not in ("done", "failed"):
            remaining.append(cell)
    return remaining


def with_stored(study: Study, cells: Sequence[Cell], out: Path) -> list[Cell]:
    """These cells and, of other seeds, those that are in `out` already: the results of all of them are stored.

    Raises ValueError as `check_definition` does.
    """
    names = {cell.name for cell in cells}
    if "seed" not in study.axes:
        return list(cells)
    stored = {int(seed) for folder in out.iterdir() for seed in re.findall(r"\bseed=(\d+)", folder.name)}
    seeds = dict.fromkeys([*study.axes["seed"], *(cell.values["seed"] for cell in cells), *sorted(stored)])
    everything = [cell for cell in study.cells(seeds) if cell.name in names or (out / cell.name).is_dir()]
    for cell in everything:
        check_definition(cell, out / cell.name)
    return everything


def run_cell(folder: Path) -> str:
    """Trains one cell, or continues it; returns "" or the reason why it failed (also in failed.txt)."""
    run = folder / "run"
    if state(folder) == "begun":
        words = ["--resume", str(run)]
    else:
        shutil.rmtree(run, ignore_errors=True)  # interrupted before its first checkpoint
        words = ["--config", str(folder / "cell.yaml"), "--name", "run"]
    with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            code = main([*words, "--folder", str(folder)])
        except Exception as error:  # one cell's bug must not end the queue
            log.write(f"{type(error).__name__}: {error}\n")
            code = 2
    if code in (0, *INTERRUPT_CODES):
        return ""
    return fail(folder, (folder / "log.txt").read_text().strip().splitlines()[-1])


def fail(folder: Path, reason: str) -> str:
    """Writes the reason why a cell failed into its folder, and returns it."""
    (folder / "failed.txt").write_text(reason + "\n")
    return reason


def cluster(
    folders: Sequence[Path], out: Path, kind: str, hours: float, at_once: int
) -> Generator[tuple[Path, str], None, None]:
    """Runs the cells as one array of jobs by submitit (SLURM; "local" and "debug" to test it here)."""
    import submitit

    executor = submitit.AutoExecutor(folder=out / "jobs", cluster=kind)
    executor.update_parameters(timeout_min=int(60 * hours))
    if kind == "slurm":
        executor.update_parameters(slurm_array_parallelism=at_once, gpus_per_node=1)
    jobs = dict(zip(executor.map_array(run_cell, list(folders)), folders, strict=True))
    for job in submitit.helpers.as_completed(list(jobs)):
        yield jobs[job], job.result()
