"""Puts small faults into the source, one at a time, and demands that the tests catch every one of them.

    python mutation_check.py CHECKOUT [--only NAME ...] [--trust] [--out FILE]

The checkout is copied into a temporary folder and is not touched itself. There the chosen tests are run once as they
are (unless --trust says that they pass), then once for each fault. Code is found by its text and tests by the names of
their files, so that both may move between folders. The exit code is 1 where a fault survives.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("mask_pinns", "datamodules", "callbacks")
LEFT_OUT = (".venv", ".git", "runs", "__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache")
LIMIT = 600
"""Seconds for one run of pytest; a fault that makes it longer counts as caught."""


class Fault(NamedTuple):
    """A fault in one place of the source.

    `original` is a piece of source text that occurs once in the packages, and `faulty` is what takes its place. Where
    the text differs between versions of the project, both are tuples, and one of the pairs must fit.
    `tests` are words for pytest: names of test files, and options such as -k, which should say what to leave out.
    """

    name: str
    original: str | tuple[str, ...]
    faulty: str | tuple[str, ...]
    tests: str


ENDS = "test_ends.py -k 'not nested'"
SYMMETRY = "test_symmetry.py -k 'not problems'"
ADAPTIVE = "test_adaptive.py -k 'not resume and not flags'"
WEIGHTING = "test_weighting.py -k 'not runs and not flags and not searches'"
GAUSS_NEWTON = "test_gauss_newton.py -k 'not jacobian'"
CHECKPOINTS = "test_checkpoints.py -k 'not another and not change and not phase'"
ROLLBACK = "test_rollback.py -k 'not resumes'"

FAULTS = (
    # Jets and the functions that they are made of.
    Fault("operator-weights", "(p, q, c * k) for", "(p, q, k) for", "test_collapse.py"),
    Fault("chain-rule-binomials", "canonical(rest + e), c) for", "canonical(rest + e), 1) for", "test_jets.py"),
    Fault("mask-hermite-sign", "h[k] - 2 * k * h[k - 1]", "h[k] + 2 * k * h[k - 1]", "test_activations.py"),
    Fault("batch-variance", "z.var(0, correction=0)", "z.var(0)", "test_networks.py"),
    Fault("slope-left-out", "self.slope == 1 else z * self.slope", "self.slope == 1 else z", "test_networks.py"),
    Fault("erf-sign", "(-1) ** k * polynomial * bell", "polynomial * bell", "test_extended.py"),
    # Conditions, soft and exact.
    Fault("neumann-normal", "-1.0 if i == 0 else 1.0", "1.0 if i == 0 else -1.0", "test_problems.py"),
    Fault("exact-wall-factor", "(2.0 if len(targets) == 2 else 1.0)", "(1.0 if len(targets) == 2 else 2.0)", ENDS),
    Fault("mirror-shift", "sum(self.box[name]) if o else 0.0", "max(self.box[name]) if o else 0.0", SYMMETRY),
    Fault("collapse-rank", "[*basis, scaled])) > len(basis)", "[*basis, scaled])) >= len(basis)", "test_collapse.py"),
    Fault("field-parts", "weight * self._stream(s)", "self._stream(s)", "test_collapse.py"),
    # Points.
    Fault("latin-slices", "(order + jitter) / n", "(order + jitter) / (n + 1)", "test_points.py"),
    Fault("points-of-ranks", "(rank, step), device, dtype", "(0, step), device, dtype", "test_points.py"),
    Fault("box-width", "(box[c][1] - box[c][0]) * unit", "box[c][1] * unit", ADAPTIVE),
    # The objective and what least squares make of it.
    Fault("mean-over-faces", "self.vector.square().sum() / self.count", "self.vector.square().mean()",
          "test_objective.py"),
    Fault("causal-bins-before", "torch.cat([means.new_zeros(1), means[:-1].cumsum(0)])", "means.cumsum(0)", WEIGHTING),
    Fault("jacobian-count", "x.shape[2]), x.shape[1]", "x.shape[2]), piece.shape[1]", WEIGHTING),
    # Optimizers.
    Fault("broyden-curvature", "-found.t * found.t * slope", "-found.t * slope", "test_broyden.py"),
    Fault("wolfe-flatness", "abs(trial.slope) <= self.flatness", "trial.slope <= self.flatness",
          "test_line_search.py"),
    Fault("damping-after-success", 'group["shrink"] if state["bold"] else group["grow"]',
          'group["grow"] if state["bold"] else group["shrink"]', GAUSS_NEWTON),
    Fault("predicted-decrease", "+ 2 * step @ lower - step @", "+ step @ lower - step @", GAUSS_NEWTON),
    Fault("phase-length", "step - self.start >= self.phase.steps", "step - self.start > self.phase.steps",
          "test_phases.py"),
    # Checkpoints and files.
    Fault("steps-in-loops", '_steps(content["loops"]) != steps', '_steps(content["loops"]) < steps', CHECKPOINTS),
    Fault("weights-finite", "not torch.isfinite(value).all()", "torch.isinf(value).any()", CHECKPOINTS),
    Fault("rollback-copy", "value.detach().clone()", "value.detach()", ROLLBACK),
    Fault("file-not-synced", "os.fsync(file.fileno())", "file.fileno()", "test_faults.py -k disk"),
    Fault("best-is-worst", 'mode="min"', 'mode="max"', "test_training.py -k best"),
    # Statistics, alarms and metrics.
    Fault("rank-centred", "x - x.mean(0)", "x - x.mean()", "test_distributions.py"),
    Fault("alarm-unit", "now[name] / max(1.0, start[name])", "now[name] / start[name]", "test_alarms.py"),
    Fault("relative-error", "(self.error / self.norm).sqrt()", "self.error.sqrt() / self.norm",
          "test_training.py -k errors"),
)  # fmt: skip


def mutated(fault: Fault, checkout: Path) -> tuple[Path, str]:
    """The file that a fault belongs into, and its text with the fault. Raises ValueError unless there is one place."""
    pairs = {fault.original: fault.faulty}
    if isinstance(fault.original, tuple):
        pairs = dict(zip(fault.original, fault.faulty, strict=True))
    files = [file for package in PACKAGES for file in sorted((checkout / package).rglob("*.py"))]
    texts = {file: file.read_text() for file in files}
    found = [
        (file, text.replace(original, faulty))
        for original, faulty in pairs.items()
        for file, text in texts.items()
        for _ in range(text.count(original))
    ]
    if len(found) != 1:
        where = ", ".join(str(file.relative_to(checkout)) for file, _ in found) or "nowhere"
        raise ValueError(f"{fault.name}: its original text occurs {len(found)} times, expected once ({where})")
    return found[0]


def words_of(tests: str, checkout: Path) -> list[str]:
    """The words for pytest, test files by their paths. Raises ValueError for a file that is not there exactly once."""
    words = shlex.split(tests)
    for i, word in enumerate(words):
        if word.endswith(".py"):
            found = list((checkout / "tests").rglob(word))
            if len(found) != 1:
                raise ValueError(f"{len(found)} test files are called {word}, expected one")
            words[i] = str(found[0].relative_to(checkout))
    return words


def outcome(tests: str, checkout: Path) -> str:
    """The first test that fails in the checkout, "" if all pass. Raises RuntimeError where pytest itself fails."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--color=no"]
    command += ["--basetemp", str(checkout.parent / "pytest"), *words_of(tests, checkout)]
    # Bytecode is told apart by seconds and size, which a fault need not change: none is written.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"more than {LIMIT} seconds"
    if done.returncode == 0:
        return ""
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.partition(" ")[2].partition(" - ")[0]
    raise RuntimeError(f"pytest {tests}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def check(faults: list[Fault], checkout: Path, trust: bool, out: Path | None) -> list[str]:
    """Tries the faults in a copy of the project, which is restored after each; the names of those that survive."""
    for fault in faults:  # before the first one takes its time
        mutated(fault, checkout)
        words_of(fault.tests, checkout)
    for tests in {} if trust else dict.fromkeys(fault.tests for fault in faults):
        begun = time.monotonic()
        if failed := outcome(tests, checkout):
            raise RuntimeError(f"{failed} fails without any fault")
        print(f"passes    {tests} ({time.monotonic() - begun:.0f} s)", flush=True)
    results: dict[str, dict[str, bool | str | float]] = {}
    for fault in faults:
        file, text = mutated(fault, checkout)
        original, begun = file.read_text(), time.monotonic()
        file.write_text(text)
        try:
            by = outcome(fault.tests, checkout)
        finally:
            file.write_text(original)
        seconds = round(time.monotonic() - begun, 1)
        results[fault.name] = {"caught": bool(by), "by": by, "seconds": seconds}
        print(f"{'caught  ' if by else 'SURVIVED'}  {fault.name} ({seconds:.0f} s) {by}", flush=True)
        if out is not None:
            out.write_text(json.dumps(results, indent=2) + "\n")
    return [name for name, result in results.items() if not result["caught"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="folder of the project")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults to try, all unless given")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a fault first")
    parser.add_argument("--out", type=Path, help="JSON file for the results, written anew after every fault")
    given = parser.parse_args()
    if unknown := set(given.only or ()) - {fault.name for fault in FAULTS}:
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}")
    faults = [fault for fault in FAULTS if not given.only or fault.name in given.only]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(given.checkout, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        try:
            survivors = check(faults, copy, given.trust, given.out)
        except (ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    caught = len(faults) - len(survivors)
    print(f"{caught} of {len(faults)} caught in {time.monotonic() - begun:.0f} s", *survivors)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
