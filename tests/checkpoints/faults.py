"""Runs in forks that are killed at chosen points, or measured.

Points: in a step, in the middle of a checkpoint's bytes, after they were written, and after the rename.
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from forks import Fork
from helpers import loads, same

from mask_pinns.cli.main import main
from mask_pinns.stepper import Stepper

POINTS = ("step", "half", "written", "renamed")
FLAGS = [
    "--width", "5", "--blocks", "1", "--points", "40", "--precision", "64", "--validate_every", "3", "--resample", "1",
    "--log_every", "2", "--compile", "off", "--accelerator", "cpu",
]  # fmt: skip
KILLED = [*FLAGS, "--statistics_record", "moments", "--figures_every", "1000"]


class Killer:
    """Ends the process at the `count`-th time that it comes to `point`, and writes down at which step that was."""

    def __init__(self, point: str, count: int, note: Path) -> None:
        self.point, self.left, self.note = point, count, note
        self.module: Any = None

    def at(self, point: str) -> None:
        self.left -= point == self.point
        if self.left == 0:
            self.note.write_text(str(self.module.global_step))
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        step, save, sync, replace = Stepper.step, torch.save, os.fsync, os.replace

        def stepping(stepper: Stepper, points: Any) -> Any:
            self.module = stepper.host
            self.at("step")
            return step(stepper, points)

        def saving(content: Any, file: Any) -> None:
            buffer = io.BytesIO()
            save(content, buffer)
            data = buffer.getvalue()
            file.write(data[: len(data) // 2])
            file.flush()
            self.at("half")
            file.write(data[len(data) // 2 :])

        def syncing(descriptor: int) -> None:
            sync(descriptor)
            if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".ckpt.part"):
                self.at("written")

        def replacing(old: Any, new: Any) -> None:
            replace(old, new)
            if str(new).endswith(".ckpt"):
                self.at("renamed")

        Stepper.step, torch.save, os.fsync, os.replace = stepping, saving, syncing, replacing  # type: ignore


def session(words: Sequence[str], *kill: Any) -> int:
    """In a fork: train.py, killed if a point, a count and a note are given."""
    torch.set_num_threads(1)
    if kill:
        Killer(*kill).install()
    return main(list(words))


def kill_and_resume(folder: Path, optimizer: str, kills: int, seed: int) -> dict[str, Any]:
    """One run left alone, and one that is killed and resumed: whether they end with the same weights."""
    places = ["--folder", str(folder)]
    begin = [*KILLED, "--steps", str(8 * kills), "--optimizer", optimizer, *places]

    def run(words: list[str], *kill: Any) -> int:
        return Fork(folder / "streams", session, words, *kill).wait()

    def saved(name: str) -> Path | None:
        """The checkpoint from which --resume goes on: the best one of a run that has no last one yet."""
        files = [folder / name / "checkpoints" / f"{kind}.ckpt" for kind in ("last", "best")]
        return next((file for file in files if file.is_file()), None)

    whole = run([*begin, "--name", "whole"])
    draw, killed, lost = random.Random(seed), [], []
    for i in range(kills):
        point = POINTS[(i + seed) % len(POINTS)]
        count = draw.randint(2, 5) if point == "step" else draw.randint(1, 3)
        words = ["--resume", str(saved("killed")), *places] if saved("killed") else [*begin, "--name", f"begun-{i}"]
        killed.append(run(words, point, count, folder / "killed_at") == -signal.SIGKILL)
        if not saved("killed") and saved(f"begun-{i}"):
            (folder / f"begun-{i}").rename(folder / "killed")
        if checkpoint := saved("killed"):
            lost.append(int((folder / "killed_at").read_text()) - loads(checkpoint)["global_step"])
    end = run(["--resume", str(saved("killed")), *places] if saved("killed") else [*begin, "--name", "killed"])
    runs = [folder / name / "checkpoints/last.ckpt" for name in ("whole", "killed")]
    steps = [loads(path)["global_step"] for path in runs]
    return {"codes": [whole, end], "killed": sum(killed), "same": same(*runs), "steps": steps, "lost": lost}


def measured(folder: Path, steps: int, warm: int = 200) -> int:
    """In a fork: a run left alone; its memory in kB and its open files after the warm-up and at the end, as JSON."""
    torch.set_num_threads(1)
    numbers: dict[str, list[int]] = {"kB": [], "files": []}
    step = Stepper.step

    def stepping(stepper: Stepper, points: Any) -> Any:
        result = step(stepper, points)
        if stepper.host.global_step in (warm, steps - 1):
            gc.collect()  # figures are garbage in cycles
            ctypes.CDLL(None).malloc_trim(0)  # else memory that is free, but in pieces, counts
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            numbers["kB"].append(int(status["RssAnon"].split()[0]))
            numbers["files"].append(len(os.listdir("/proc/self/fd")))
        return result

    Stepper.step = stepping  # type: ignore[method-assign]
    flags = ["--validate_every", "100", "--log_every", "10", "--statistics_every", "50", "--figures_every", "100"]
    code = main([*FLAGS, *flags, "--optimizer", "adam", "--steps", str(steps), "--folder", str(folder)])
    (folder / "measured.json").write_text(json.dumps(numbers))
    return code
