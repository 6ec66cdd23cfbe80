"""The parts of gpu.sh in the order in which they tell most, each within what is left of the time, stored one by one.

Checks (checks.py), the time of the wave's step against nested autograd (step_time.py), the published wave with and
without mask (seeds 1979 and 0), then convection and Helmholtz as published, as long as there is time, and the study
`published` with what is left. A part that does not end in its time is stopped; a training run keeps its last
checkpoint's errors.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "gpu.json"
SAVING = 8.0
"""Seconds that a run takes to save and to evaluate after its time is over."""
CHECKS = ["jets", "compiled", "bursts", "gauss_newton", "resume", "one_process_ddp"]
TOY = ["--steps", "20", "--width", "8", "--blocks", "1", "--points", "100", "--compile", "off"]
KEPT = ("rel_l2", "max_error", "loss", "steps", "wall_s", "s_per_step", "compile_s", "parameters", "device", "versions",
        "commit", "stop_reason", "seed")  # fmt: skip


@dataclass
class Bundle:
    """What is run: where results go, on what, how long.

    Attributes:
        out: the JSON file, written after each part.
        accelerator: "gpu" or "cpu".
        seconds: for everything.
        toy: whether sizes are tiny.
    """

    out: Path
    accelerator: str
    seconds: float
    toy: bool
    results: dict[str, Any] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.start)

    def store(self, part: str, value: Any) -> None:
        """Adds a result, writes the file and says so."""
        self.results[part] = value
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_text(json.dumps(self.results, indent=1) + "\n")
        print(f"{part}: {json.dumps(value)[:200]} ({self.left:.0f} s left)", flush=True)

    def lines(self, words: list[str], limit: float) -> Iterator[str]:
        """The lines that a process prints, until it ends or its time is over."""
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        timer = threading.Timer(limit, stop, [process])
        timer.start()
        assert process.stdout
        try:
            yield from process.stdout
            if process.wait():
                yield f"error: exit code {process.returncode}: {words[0]}"
        finally:
            timer.cancel()
            stop(process)
            process.wait()


def stop(process: subprocess.Popen[str]) -> None:
    """Ends a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def checks(bundle: Bundle) -> None:
    """All checks; one that gives nothing counts as one that does not hold."""
    asked = ["jets", "resume"] if bundle.toy else CHECKS
    words = [str(ROOT / "benchmarks/gpu/checks.py"), "--accelerator", bundle.accelerator, *asked]
    found: dict[str, Any] = {name: {"holds": False, "error": "gave nothing"} for name in asked}
    for line in bundle.lines(words, bundle.left):
        if line.startswith("{"):
            check = json.loads(line)
            found[check.pop("check")] = check
            bundle.store("checks", found)
        elif line.startswith("error:"):
            found |= {name: {"holds": False, "error": line} for name in asked if "error" in found[name]}
    bundle.store("checks", found)


def step_time(bundle: Bundle) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "step_time.json"
        words = [
            str(ROOT / "benchmarks/step_time.py"),
            "--only",
            "wave_64x3",
            "--memory_points",
            "0",
            "--out",
            str(out),
            "--accelerator",
            bundle.accelerator,
        ]
        said = list(bundle.lines(words + (["--rounds", "1"] if bundle.toy else []), bundle.left))
        bundle.store("step_time", json.loads(out.read_text()) if out.is_file() else {"failed": said[-1:]})


def published(problem: str, seed: int, mask: bool) -> Callable[[Bundle], None]:
    """A run of a published setting; one that has no time for all steps is stopped and says how far it came."""

    def part(bundle: Bundle) -> None:
        limit = max(1, int(bundle.left - SAVING))
        with tempfile.TemporaryDirectory() as folder:
            words = ["train.py", "--config", f"paper/{problem}", "--seed", str(seed), "--mask", str(mask).lower()]
            words += ["--accelerator", bundle.accelerator, "--devices", "1", "--folder", folder, "--name", "run"]
            words += ["--trainer.max_time", f"00:{limit // 3600:02}:{limit // 60 % 60:02}:{limit % 60:02}"]
            said = list(bundle.lines(words + (TOY if bundle.toy else []), limit + 2 * SAVING))
            path = Path(folder) / "run" / "summary.json"
            summary = json.loads(path.read_text()) if path.is_file() else {}
        name = f"paper/{problem}, seed {seed}, {'masked' if mask else 'not masked'}"
        bundle.store(name, {key: summary.get(key) for key in KEPT} if summary else {"failed": said[-1:]})

    return part


def study(bundle: Bundle) -> None:
    """The study `published` with the time that is left; it continues where it stopped."""
    words = [str(ROOT / "benchmarks/study.py"), "published", *(["--dry_run"] if bundle.toy else [])]
    last = ""
    for line in bundle.lines(words, bundle.left - SAVING):
        last = line.strip() or last
    bundle.store("study published", {"failed": last} if last.startswith("error:") else {"said": last})


RUNS = [published("wave", seed, mask) for seed in (1979, 0) for mask in (True, False)]
RUNS += [published(problem, 0, mask) for problem in ("convection", "helmholtz") for mask in (True, False)]
PARTS: list[Callable[[Bundle], None]] = [checks, step_time, *RUNS, study]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, to try the script itself")
    parser.add_argument("--seconds", type=float, default=540.0, help="for everything")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: results/gpu.json, or gpu-trial.json beside it"
    )
    options = parser.parse_args(words)
    trial = options.toy or options.accelerator == "cpu"
    out = options.out or (RESULT.with_name("gpu-trial.json") if trial else RESULT)
    bundle = Bundle(out, options.accelerator, options.seconds, options.toy)
    parts = [checks, step_time, RUNS[0], RUNS[1], study] if options.toy else PARTS
    for part in parts:
        if bundle.left < 2 * SAVING:
            break
        part(bundle)
    bad = [name for name, check in bundle.results.get("checks", {}).items() if not check["holds"]]
    bad += [name for name, part in bundle.results.items() if "failed" in part]
    print(f"{out}: {len(bundle.results)} parts in {time.monotonic() - bundle.start:.0f} s")
    print(f"does not hold: {', '.join(bad)}" if bad else "all checks hold")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
