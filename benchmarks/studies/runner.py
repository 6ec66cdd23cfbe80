"""The cells of a study on disk: what is done is kept, what was begun goes on, and what failed says why.

Every cell has a folder: cell.yaml (its configuration), run/ (train.py's run folder), log.txt, failed.txt where it did.
A cell is done when run/summary.json says that its training ended in good order; one that was cut off goes on from its
last checkpoint, bit for bit. So the queue needs no books of its own, and killing it loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

import yaml

from studies.grid import Cell, Study

UNFINISHED = ("interrupted", "stopped by the trainer")
INTERRUPTED = (130, 138, 143)
"""Exit codes of a run that saved and ended because it was told to."""


def state(folder: Path) -> str:
    """done, failed, begun (it has a checkpoint) or new."""
    if (folder / "failed.txt").is_file():
        return "failed"
    summary = folder / "run" / "summary.json"
    if summary.is_file() and json.loads(summary.read_text())["stop_reason"] not in UNFINISHED:
        return "done"
    return "begun" if (folder / "run" / "checkpoints" / "last.ckpt").is_file() else "new"


def check_definition(cell: Cell, folder: Path) -> str:
    """The text of the cell's configuration.

    Raises ValueError where the folder holds a cell of another definition: results of two definitions never mix.
    """
    text, stored = yaml.safe_dump(dict(cell.config), sort_keys=True), folder / "cell.yaml"
    if stored.is_file() and stored.read_text() != text:
        raise ValueError(f"{folder} holds a cell of another definition; remove it, or choose another --out")
    return text


def prepare(cells: Sequence[Cell], out: Path, retry: bool) -> list[Cell]:
    """The cells still to be run, their folders made. With `retry`, those that failed are among them, from the start.

    Raises ValueError as `check_definition` does.
    """
    left = []
    for cell in cells:
        folder = out / cell.name
        text = check_definition(cell, folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cell.yaml").write_text(text)
        if state(folder) == "failed" and retry:
            (folder / "failed.txt").unlink()
            shutil.rmtree(folder / "run", ignore_errors=True)
        if state(folder) not in ("done", "failed"):
            left.append(cell)
    return left


def with_stored(study: Study, cells: Sequence[Cell], out: Path) -> list[Cell]:
    """The cells asked for and, of other seeds, those that lie in `out` already: results are stored of all of them.

    Raises ValueError as `check_definition` does.
    """
    asked = {cell.name for cell in cells}
    if "seed" not in study.axes:
        return list(cells)
    found = {int(seed) for folder in out.iterdir() for seed in re.findall(r"\bseed=(\d+)", folder.name)}
    seeds = dict.fromkeys([*study.axes["seed"], *(cell.values["seed"] for cell in cells), *sorted(found)])
    everything = [cell for cell in study.cells(seeds) if cell.name in asked or (out / cell.name).is_dir()]
    for cell in everything:
        check_definition(cell, out / cell.name)
    return everything


def run_cell(folder: Path) -> str:
    """Trains one cell, or goes on with it; returns "" or why it failed (also in failed.txt)."""
    from train import main

    run = folder / "run"
    if state(folder) == "begun":
        words = ["--resume", str(run)]
    else:
        shutil.rmtree(run, ignore_errors=True)  # cut off before its first checkpoint
        words = ["--config", str(folder / "cell.yaml"), "--name", "run"]
    with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            code = main([*words, "--folder", str(folder)])
        except Exception as error:  # one cell's bug must not end the queue
            log.write(f"{type(error).__name__}: {error}\n")
            code = 2
    if code in (0, *INTERRUPTED):
        return ""
    return fail(folder, (folder / "log.txt").read_text().strip().splitlines()[-1])


def fail(folder: Path, reason: str) -> str:
    """Notes in a cell's folder that it failed, and returns why."""
    (folder / "failed.txt").write_text(reason + "\n")
    return reason


def cluster(
    folders: Sequence[Path], out: Path, kind: str, hours: float, at_once: int
) -> Generator[tuple[Path, str], None, None]:
    """Runs the cells as one array of jobs by submitit (SLURM; "local" and "debug" to try it here)."""
    import submitit

    executor = submitit.AutoExecutor(folder=out / "jobs", cluster=kind)
    executor.update_parameters(timeout_min=int(60 * hours))
    if kind == "slurm":
        executor.update_parameters(slurm_array_parallelism=at_once, gpus_per_node=1)
    jobs = dict(zip(executor.map_array(run_cell, list(folders)), folders, strict=True))
    for job in submitit.helpers.as_completed(list(jobs)):
        yield jobs[job], job.result()
