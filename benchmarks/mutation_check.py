"""Puts small faults into the source, one at a time, and demands that the tests catch every one of them.

    python benchmarks/mutation_check.py . --out benchmarks/results/mutation_check.json
    python benchmarks/mutation_check.py CHECKOUT [--only NAME ...] [--trust]

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
"""Folders whose source gets faults."""
NOT_COPIED = (".venv", ".git", "runs", "__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache")
TIME_LIMIT = 600
"""Seconds for one run of pytest; a fault that makes it take longer counts as caught."""


class Fault(NamedTuple):
    """A fault in one place of the source.

    `original` is a piece of source text that occurs once in the packages, and `faulty` replaces it. If the text differs
    between versions of the project, both are tuples, and one of the pairs must fit.
    `tests` are arguments of pytest: names of test files, and options such as -k, which exclude tests.
    """

    name: str
    original: str | tuple[str, ...]
    faulty: str | tuple[str, ...]
    tests: str


SCALARS = "test_extended.py test_extended_initial_values.py test_scalar.py"
OPERATORS = "test_collapse.py test_operators.py"
ENDS = "test_ends.py test_hard_constraints.py -k 'not nested'"
SYMMETRY = "test_symmetry.py -k 'not problems'"
ADAPTIVE = "test_adaptive.py -k 'not resume and not flags'"
WEIGHTING = (
    "test_weighting.py test_adaptive_weights.py test_causal_weights.py test_balance.py "
    "-k 'not runs and not flags and not searches'"
)
GAUSS_NEWTON = "test_gauss_newton.py -k 'not jacobian'"
CHECKPOINTS = "test_checkpoints.py -k 'not another and not change and not phase'"
ROLLBACK = "test_rollback.py -k 'not resumes'"

FAULTS = (
    # Jets and the functions that they are made of.
    Fault("operator-weights", "(p, q, c * k) for", "(p, q, k) for", OPERATORS),
    Fault("chain-rule-binomials", "canonical(rest + e), c) for", "canonical(rest + e), 1) for", "test_jets.py"),
    Fault("mask-hermite-sign", "h[k] - 2 * k * h[k - 1]", "h[k] + 2 * k * h[k - 1]", "test_activations.py"),
    Fault("batch-variance", "z.var(0, correction=0)", "z.var(0)", "test_networks.py"),
    Fault("slope-left-out", "self.slope == 1 else z * self.slope", "self.slope == 1 else z", "test_networks.py"),
    Fault("erf-sign", ("(-1) ** k * polynomial * bell", "(-1) ** k * polynomial * gaussian"),
          ("polynomial * bell", "polynomial * gaussian"), SCALARS),
    # Conditions, soft and exact.
    Fault("neumann-normal", ("-1.0 if i == 0 else 1.0", "(-1.0, 1.0)[end]"),
          ("1.0 if i == 0 else -1.0", "(1.0, -1.0)[end]"),
          "test_problems.py"),
    Fault("exact-wall-factor", "(2.0 if len(targets) == 2 else 1.0)", "(1.0 if len(targets) == 2 else 2.0)", ENDS),
    Fault("mirror-shift", ("sum(self.box[name]) if o", "sum(self.domain[name]) if m"),
          ("max(self.box[name]) if o", "max(self.domain[name]) if m"), SYMMETRY),
    Fault("collapse-rank", "[*basis, scaled])) > len(basis)", "[*basis, scaled])) >= len(basis)", OPERATORS),
    Fault("field-parts", "weight * self._stream(s)", "self._stream(s)", OPERATORS),
    # Points.
    Fault("latin-slices", ("(order + jitter) / n", "order.to(dtype) / n + jitter"),
          ("(order + jitter) / (n + 1)", "order.to(dtype) / (n + 1) + jitter"), "test_points.py"),
    Fault("points-of-ranks", "(rank, step), device, dtype", "(0, step), device, dtype", "test_points.py"),
    Fault("box-width", ("(box[c][1] - box[c][0]) * unit", "(self.box[c][1] - self.box[c][0]) * unit"),
          ("box[c][1] * unit", "self.box[c][1] * unit"), ADAPTIVE),
    # The objective and what least squares make of it.
    Fault("mean-over-faces", "self.vector.square().sum() / self.count", "self.vector.square().mean()",
          "test_objective.py"),
    Fault("causal-bins-before", "torch.cat([means.new_zeros(1), means[:-1].cumsum(0)])", "means.cumsum(0)", WEIGHTING),
    Fault("jacobian-count", "x.shape[2]), x.shape[1]", "x.shape[2]), part.shape[1]", WEIGHTING),
    # Optimizers.
    Fault("broyden-curvature", ("-found.t * found.t * slope", "-accepted.t * accepted.t * slope"),
          ("-found.t * slope", "-accepted.t * slope"), "test_broyden.py"),
    Fault("wolfe-flatness", ("abs(trial.slope) <= self.flatness", "abs(trial.slope) <= self.max_slope"),
          ("trial.slope <= self.flatness", "trial.slope <= self.max_slope"), "test_line_search.py"),
    Fault("damping-after-success", 'group["shrink"] if state["bold"] else group["grow"]',
          'group["grow"] if state["bold"] else group["shrink"]', GAUSS_NEWTON),
    Fault("predicted-decrease", "+ 2 * step @ lower - step @", "+ step @ lower - step @", GAUSS_NEWTON),
    Fault("phase-length", "step - self.start >= self.phase.steps", "step - self.start > self.phase.steps",
          "test_phases.py"),
    # Checkpoints and files.
    Fault("steps-in-loops", '_steps(content["loops"]) != steps', '_steps(content["loops"]) < steps', CHECKPOINTS),
    Fault("weights-finite", "not torch.isfinite(value).all()", "torch.isinf(value).any()", CHECKPOINTS),
    Fault("rollback-copy", "value.detach().clone()", "value.detach()", ROLLBACK),
    Fault("file-not-synced", "os.fsync(file.fileno())", "file.fileno()", "test_faults.py test_full_disks.py -k disk"),
    Fault("best-is-worst", 'mode="min"', 'mode="max"', "test_training.py -k best"),
    # Statistics, alarms and metrics.
    Fault("rank-centred", "x - x.mean(0)", "x - x.mean()", "test_distributions.py"),
    Fault("alarm-unit", "now[name] / max(1.0, start[name])", "now[name] / start[name]", "test_alarms.py"),
    Fault("relative-error", ("(self.error / self.norm).sqrt()", "(norm if norm != 0 else total)).sqrt()"),
          ("self.error.sqrt() / self.norm", "(norm if norm != 0 else total).sqrt()).sqrt()"),
          "test_training.py test_metrics.py -k errors"),
)  # fmt: skip


def mutated(fault: Fault, checkout: Path) -> tuple[Path, str]:
    """The file of a fault, and its text with the fault. Raises ValueError unless there is exactly one place for it."""
    pairs = {fault.original: fault.faulty}
    if isinstance(fault.original, tuple):
        pairs = dict(zip(fault.original, fault.faulty, strict=True))
    files = [file for package in PACKAGES for file in sorted((checkout / package).rglob("*.py"))]
    texts = {file: file.read_text() for file in files}
    places = [
        (file, text.replace(original, faulty))
        for original, faulty in pairs.items()
        for file, text in texts.items()
        for _ in range(text.count(original))
    ]
    if len(places) != 1:
        where = ", ".join(str(file.relative_to(checkout)) for file, _ in places) or "nowhere"
        raise ValueError(f"{fault.name}: its original text occurs {len(places)} times, expected once ({where})")
    return places[0]


def words_of(tests: str, checkout: Path) -> list[str]:
    """The words for pytest, test files by their paths; files of other versions of the project are left out.

    Raises ValueError if none of the test files is there.
    """
    words: list[str] = []
    for word in shlex.split(tests):
        paths = (checkout / "tests").rglob(word) if word.endswith(".py") else [word]
        words += [str(path.relative_to(checkout)) if isinstance(path, Path) else path for path in paths]
    if not any(word.endswith(".py") for word in words):
        raise ValueError(f"no test file is called {tests}")
    return words


def outcome(tests: str, checkout: Path) -> str:
    """The first test that fails in the checkout, "" if all pass. Raises RuntimeError if pytest itself fails."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--color=no"]
    command += ["--basetemp", str(checkout.parent / "pytest"), *words_of(tests, checkout)]
    # No bytecode: Python compares it with its source by seconds and size, which a fault need not change.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return f"more than {TIME_LIMIT} seconds"
    if run.returncode == 0:
        return ""
    for line in run.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.partition(" ")[2].partition(" - ")[0]
    raise RuntimeError(f"pytest {tests}: exit code {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-2000:]}")


def check(faults: list[Fault], checkout: Path, trust: bool, out: Path | None) -> list[str]:
    """Tries the faults in a copy of the project, which is restored after each; returns the names of the survivors."""
    for fault in faults:  # check all of them before the first long run
        mutated(fault, checkout)
        words_of(fault.tests, checkout)
    for tests in {} if trust else dict.fromkeys(fault.tests for fault in faults):
        start = time.monotonic()
        if failed := outcome(tests, checkout):
            raise RuntimeError(f"{failed} fails without any fault")
        print(f"passes    {tests} ({time.monotonic() - start:.0f} s)", flush=True)
    results: dict[str, dict[str, bool | str | float]] = {}
    for fault in faults:
        file, text = mutated(fault, checkout)
        original, start = file.read_text(), time.monotonic()
        file.write_text(text)
        try:
            test = outcome(fault.tests, checkout)
        finally:
            file.write_text(original)
        seconds = round(time.monotonic() - start, 1)
        results[fault.name] = {"caught": bool(test), "by": test, "seconds": seconds}
        print(f"{'caught  ' if test else 'SURVIVED'}  {fault.name} ({seconds:.0f} s) {test}", flush=True)
        if out is not None:
            out.write_text(json.dumps(results, indent=2) + "\n")
    return [name for name, result in results.items() if not result["caught"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="folder of the project")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults to try; by default all")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a fault first")
    parser.add_argument("--out", type=Path, help="JSON file for the results, written again after every fault")
    arguments = parser.parse_args()
    if unknown := set(arguments.only or ()) - {fault.name for fault in FAULTS}:
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}")
    faults = [fault for fault in FAULTS if not arguments.only or fault.name in arguments.only]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(arguments.checkout, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        try:
            survivors = check(faults, copy, arguments.trust, arguments.out)
        except (ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    caught = len(faults) - len(survivors)
    print(f"{caught} of {len(faults)} caught in {time.monotonic() - start:.0f} s", *survivors)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
