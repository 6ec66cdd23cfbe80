"""A trial of an exported file: another process runs it at two numbers of points, and its results are compared.

Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mask_pinns.domains.places import kronecker
from mask_pinns.export import reading
from mask_pinns.memory import evaluate_in_chunks
from mask_pinns.objective import Objective
from mask_pinns.objective.prediction import further_columns
from mask_pinns.problems import Problem

COUNTS = (512, 1)
"""Numbers of points at which a file is run."""
LIMITS = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-12, 1e-11)}
"""Largest relative difference of values and of derivatives that counts as rounding, by the dtype of the program."""
ROUNDING = 4.0
"""In float32, so many times what the network itself loses there counts as rounding too: large weights lose much."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trial:
    """The largest relative differences between the file and the predictions, of values and of derivatives.

    lost: in float32, those between the predictions and the same network in float64.
    """

    values: float
    derivatives: float | None
    lost: tuple[float, float | None] | None

    def __str__(self) -> str:
        also = "" if self.derivatives is None else f", that of derivatives {self.derivatives:.1e}"
        where = " and ".join(f"{n:,} point{'s' * (n > 1)}" for n in COUNTS)
        numbers = [f"{d:.1e}" for d in self.lost or () if d is not None]
        lost = f"; float32 itself loses {' and '.join(numbers)}" if numbers else ""
        away = f"largest relative difference to the predictions {self.values:.1e}{also}"
        return f"{away}, run by another process at {where}{lost}"


def tried(path: Path, objective: Objective, network: nn.Module, derivatives: Sequence[str]) -> Trial:
    """Runs a file and compares it with the network.

    Raises ValueError for a file that cannot be run, and for differences above LIMITS.
    """
    problem, like = objective.problem, next(network.parameters())
    x = problem.domain.section({}).draw(COUNTS[0], kronecker).to(like.dtype)
    sets = [x[len(x) - n :] for n in COUNTS]
    expected = _predictions(objective, network, x, derivatives)
    scales = _scales(problem, expected)
    differences, lost = dict.fromkeys(expected, 0.0), dict.fromkeys(expected, 0.0)
    for part, found in zip(sets, run(path, sets), strict=True):
        for name, column in expected.items():
            away = np.abs(found[name] - column[len(x) - len(part) :]).max()
            differences[name] = max(differences[name], float(away) / scales[name] if away else 0.0)
    if like.dtype == torch.float32:
        exact = _predictions(objective, copy.deepcopy(network).double(), x.double(), derivatives)
        lost = {name: float(np.abs(expected[name] - exact[name]).max()) / scales[name] for name in expected}
    _require_small(differences, lost, problem, like.dtype)
    return Trial(*_worst(differences, problem), _worst(lost, problem) if like.dtype == torch.float32 else None)


def _worst(differences: Mapping[str, float], problem: Problem) -> tuple[float, float | None]:
    """The largest difference of values, and of derivatives."""
    of_derivatives = [d for name, d in differences.items() if name not in problem.fields]
    return max(differences[name] for name in problem.fields), max(of_derivatives, default=None)


def run(path: Path, sets: Sequence[Tensor]) -> list[Columns]:
    """The results of a file at several sets of points (N, D), each (N,) by name, from a process of its own.

    Raises ValueError with what that process says if it fails.
    """
    points, results = path.with_name("points.npz"), path.with_name("results.npz")
    np.savez(points, **{str(i): x.numpy() for i, x in enumerate(sets)})  # type: ignore[arg-type]
    command = [sys.executable, "-P", str(reading.__file__), str(path), str(points), str(results)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        reason = next(iter(done.stderr.strip().splitlines()[::-1]), f"exit code {done.returncode}")[:300]
        cure = "; take --export_precision 32 (precision=32), or a .pt2 file" if "NOT_IMPLEMENTED" in reason else ""
        raise ValueError(f"the exported file cannot be run: {reason}{cure}")
    with np.load(results) as arrays:
        return [
            {key.partition(" ")[2]: arrays[key] for key in arrays.files if key.partition(" ")[0] == str(i)}
            for i in range(len(sets))
        ]


def _predictions(objective: Objective, network: nn.Module, x: Tensor, derivatives: Sequence[str]) -> Columns:
    """What `predict` gives, column by column."""
    with torch.no_grad():
        values = evaluate_in_chunks(network, x, next(network.parameters())).numpy()
    fields = dict(zip(objective.problem.fields, values.T, strict=True))
    return fields | further_columns(objective, network, x, derivatives)


def _scales(problem: Problem, expected: Columns) -> dict[str, float]:
    """What differences are relative to: the largest value; of a derivative, at least the range of its field over the
    lengths of the domain, as one that is zero has rounding errors of this size.
    """
    scales = {name: float(np.abs(column).max()) for name, column in expected.items()}
    for name in expected.keys() - set(problem.fields):
        field, _, m = name.partition("_")
        lengths = prod(problem.domain[c][1] - problem.domain[c][0] for c in m)
        scales[name] = max(scales[name], float(np.ptp(expected[field])) / lengths)
    return {name: scale or 1.0 for name, scale in scales.items()}


def _require_small(
    differences: Mapping[str, float], lost: Mapping[str, float], problem: Problem, dtype: torch.dtype
) -> None:
    for name, difference in differences.items():
        limit = max(LIMITS[dtype][name not in problem.fields], ROUNDING * lost[name])
        if not difference <= limit:
            raise ValueError(
                f"the exported {name} differs from the prediction by {difference:.1e} of its largest value; expected "
                f"{limit:.1g} or less: the file is not written"
            )
