"""Kills training at chosen points, and resumes it: `python tests/checkpoints/faults.py FOLDER OPTIMIZER...`, results as JSON;
with `FOLDER --memory STEPS`, the memory and the open files of a run that is left alone.

A process of its own, which imports everything once and trains nothing itself: each session is a fork of it, killed by
SIGKILL at the k-th time that it comes to a point. Points: in a step, in the middle of a checkpoint's bytes, after they
were written, and after the rename.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from mask_pinns.cli.main import main
from mask_pinns.stepper import Stepper

POINTS = ("step", "half", "written", "renamed")
KILLS = 10
FLAGS = [
    "--width", "5", "--blocks", "1", "--points", "40", "--precision", "64", "--steps", "60", "--validate_every", "3",
    "--resample", "1", "--log_every", "2", "--compile", "off", "--accelerator", "cpu",
]  # fmt: skip


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


def session(flags: list[str], killer: Killer | None, log: Path) -> int:
    """A run in a fork; its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if killer:
            killer.install()
        code = main(flags)
    finally:
        os._exit(code)


def loads(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True, map_location="cpu")


def torture(folder: Path, optimizer: str, seed: int) -> dict[str, Any]:
    """One run left alone, and one killed ten times and resumed: whether they end with the same weights."""
    begin = [*FLAGS, "--optimizer", optimizer, "--folder", str(folder), "--statistics_record", "moments"]
    log, last = folder / "log.txt", folder / "killed/checkpoints/last.ckpt"
    folder.mkdir(parents=True)
    whole = session([*begin, "--name", "whole"], None, log)
    draw, killed, lost = random.Random(seed), [], []
    for i in range(KILLS):
        killer = Killer(POINTS[i % len(POINTS)], draw.randint(2, 5) if i % len(POINTS) == 0 else draw.randint(1, 3),
                        folder / "killed_at")  # fmt: skip
        resume = ["--resume", str(folder / "killed")] if last.is_file() else ["--name", f"begun-{i}"]
        code = session(begin + resume if not last.is_file() else [*resume, "--folder", str(folder)], killer, log)
        killed.append(code == -signal.SIGKILL)
        if not last.is_file() and (folder / f"begun-{i}/checkpoints/last.ckpt").is_file():
            (folder / f"begun-{i}").rename(folder / "killed")
        if last.is_file():
            lost.append(int((folder / "killed_at").read_text()) - loads(last)["global_step"])
    end = session(["--resume", str(folder / "killed"), "--folder", str(folder)], None, log)
    a, b = (loads(folder / name / "checkpoints/last.ckpt") for name in ("whole", "killed"))
    same = all(torch.equal(a["state_dict"][k], b["state_dict"][k]) for k in a["state_dict"])
    steps = (a["global_step"], b["global_step"])
    return {"codes": [whole, end], "killed": sum(killed), "same": same, "steps": steps, "lost": lost}


def memory(folder: str, steps: int, warm: int = 500) -> dict[str, list[int]]:
    """Resident kB and open files after the warm-up and at the end."""
    found: dict[str, list[int]] = {"kB": [], "files": []}
    step = Stepper.step

    def stepping(stepper: Stepper, points: Any) -> Any:
        result = step(stepper, points)
        if stepper.host.global_step in (warm, steps - 1):
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            found["kB"].append(int(status["VmRSS"].split()[0]))
            found["files"].append(len(os.listdir("/proc/self/fd")))
        return result

    Stepper.step = stepping  # type: ignore[method-assign]
    flags = ["--validate_every", "100", "--log_every", "10", "--statistics_every", "50", "--figures_every", "200"]
    main([*FLAGS, *flags, "--optimizer", "adam", "--steps", str(steps), "--folder", folder])
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--memory" in sys.argv:
        print(json.dumps(memory(sys.argv[1], int(sys.argv[3]))))
        sys.exit()
    results = {name: torture(Path(sys.argv[1]) / str(i), name, i) for i, name in enumerate(sys.argv[2:])}
    print(json.dumps(results))
