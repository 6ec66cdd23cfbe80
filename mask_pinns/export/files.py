"""Files of a solution's program: .onnx, which many programs run, and .pt2, which torch loads without this package."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from mask_pinns.domains.shapes.meshes import library
from mask_pinns.export.functions import IN_FLOAT64, REPLACED

INPUT = "points"
"""Name of the input (N, D) in an .onnx file; of a field, `points` gets another one."""
Replaced = Mapping[Any, Callable[..., Any]]


def require_format(path: Path) -> None:
    """Raises ValueError for a name whose end is no format, for a missing folder, and for a missing package."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: expected a name that ends in {' or '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; make it, or name another file")
    for package in ("onnx", "onnxscript", "onnxruntime") if path.suffix.lower() == ".onnx" else ():
        library(package, "an .onnx file", "export")


def replaced(path: Path, dtype: torch.dtype) -> Replaced:
    """Functions in place of operations that the format lacks in this precision."""
    if path.suffix.lower() != ".onnx":
        return {}
    return {**REPLACED, **(IN_FLOAT64 if dtype == torch.float64 else {})}


def write_program(program: ExportedProgram, path: Path, names: Sequence[str], facts: Mapping[str, str]) -> None:
    """Writes a program in the format of the file's name, with facts about it.

    Raises ValueError for an operation that the format does not have.
    """
    FORMATS[path.suffix.lower()](program, path, names, facts)


def _write_onnx(program: ExportedProgram, path: Path, names: Sequence[str], facts: Mapping[str, str]) -> None:
    points = INPUT if INPUT not in names else f"{INPUT}_in"
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program, dynamo=True, input_names=[points], output_names=list(names), verbose=False, optimize=False
            )  # its optimizer takes numbers below 1e-8 for 0, and 1.000001 for 1
    except Exception as error:  # its translation fails in many ways
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise ValueError(f"the solution cannot be written as ONNX ({reason}): take a name that ends in .pt2") from error
    model = made.model_proto
    _strip(model)
    library("onnx", "an .onnx file", "export").helper.set_model_props(model, dict(facts))
    path.write_bytes(model.SerializeToString())


def _strip(model: Any) -> None:
    """Removes the lines of source, with paths of this machine, that torch writes to every node."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, torch does not tell about libraries that are not installed, nor libraries about each other."""
    log = logging.getLogger("torch.onnx._internal.exporter")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        log.setLevel(level)


def _write_torch(program: ExportedProgram, path: Path, names: Sequence[str], facts: Mapping[str, str]) -> None:
    torch.export.save(program, path, extra_files=dict(facts))


FORMATS: dict[str, Callable[[ExportedProgram, Path, Sequence[str], Mapping[str, str]], None]] = {
    ".onnx": _write_onnx, ".pt2": _write_torch,
}  # fmt: skip
"""Functions that write a program, by the end of the file's name."""
