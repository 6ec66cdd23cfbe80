"""`export_solution`: a solution and its derivatives as a file that other programs run, checked by running it.

Legend: N points, D coordinates, F fields, m the multi-index of a derivative.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch
from torch import nn

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.domains.places import kronecker
from mask_pinns.export.files import replaced, require_format, write_program
from mask_pinns.export.program import evaluation, names_of_outputs, trace
from mask_pinns.export.trial import Trial, tried
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.networks.unknown import unknown_values
from mask_pinns.objective import Objective
from mask_pinns.objective.prediction import check_columns
from mask_pinns.problems import Problem
from mask_pinns.version import __version__

DTYPES = {32: torch.float32, 64: torch.float64}
TRACED = 5
"""Number of points at which the program is traced; any other number would do."""


class Solved(Protocol):
    """The parts of a `MaskPINN` that are exported."""

    problem: Problem
    network: nn.Module
    objective: Objective


@dataclass(frozen=True)
class Export:
    """What was written: the file, its outputs, its precision in bits, and how it was tried."""

    path: Path
    outputs: tuple[str, ...]
    precision: int
    trial: Trial


def export_solution(
    model: Solved, path: Path | str, derivatives: Sequence[str] = (), precision: int | None = None
) -> Export:
    """Writes a solution and its derivatives as a program for any number of points, .onnx or .pt2, and runs it.

    The input is `points` (N, D), the coordinates in the problem's order; the outputs are (N,) by name: u, u_x, u_tt.
    The file is run at two numbers of points by a process without this package, and compared with the predictions.

    Args:
        model: the trained model, which stays as it is.
        path: the file. An .onnx file is for onnxruntime and others, a .pt2 file for `torch.export.load`, which gives
            its outputs as a dictionary.
        derivatives: by coordinate letters: ("x", "tt"); mixed ones in any order, orders up to 4.
        precision: 32 or 64; None: that of the weights.

    Example:
        >>> from mask_pinns import MaskPINN, export_solution
        >>> model = MaskPINN("wave", {"name": "masked", "width": 8, "blocks": 1}, exact="all")
        >>> export_solution(model, "wave.pt2", derivatives=("x", "tt")).outputs  # doctest: +SKIP
        ('u', 'u_x', 'u_tt')

    Raises ValueError for another precision or end of the name, a missing package, a network or a problem's function of
    which no program can be made, and for a file whose results differ from the predictions; it is then not written.
    """
    path, derivatives = Path(path), list(dict.fromkeys(derivatives))
    require_format(path)
    check_columns(model.objective, derivatives, False, "derivatives")
    network, problem = _in_precision(model.network, precision), model.problem
    like = next(network.parameters())
    points = problem.domain.section({}).draw(TRACED, kronecker).to(like)
    names = names_of_outputs(problem, derivatives)
    with evaluation_mode(network), TemporaryDirectory() as folder:
        program = trace(network, evaluation(network, problem, derivatives), names, points, replaced(path, like.dtype))
        draft = Path(folder) / f"{path.stem}{path.suffix.lower()}"
        write_program(program, draft, names, _facts(problem, model.network, names))
        trial = tried(draft, model.objective, network, derivatives)
        with whole_file(path, "wb") as file:
            file.write(draft.read_bytes())
    return Export(path, tuple(names), torch.finfo(like.dtype).bits, trial)


def _in_precision(network: nn.Module, precision: int | None) -> nn.Module:
    """The network on the CPU, in a precision; a copy, unless it is so already."""
    if precision not in (None, *DTYPES):
        raise ValueError(f"precision is {precision!r}; expected 32, 64, or None for that of the weights")
    like = next(network.parameters())
    dtype = like.dtype if precision is None else DTYPES[precision]
    if (like.dtype, like.device.type) == (dtype, "cpu"):
        return network
    return copy.deepcopy(network).to("cpu", dtype)


def _facts(problem: Problem, network: nn.Module, names: Sequence[str]) -> Mapping[str, str]:
    """What a reader of the file may want to know."""
    numbers: dict[str, Any] = {k: float(v.detach()) for k, v in unknown_values(network).items()}
    box = ", ".join(f"{c} from {problem.domain[c][0]:g} to {problem.domain[c][1]:g}" for c in problem.domain.names)
    return {
        "problem": problem.title, "coordinates": ", ".join(problem.domain.names), "trained on": box,
        "outputs": ", ".join(names), "made by": f"mask-pinns {__version__}",
        **{f"unknown {k}": repr(v) for k, v in numbers.items()},
    }  # fmt: skip
