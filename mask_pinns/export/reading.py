"""Runs an exported file as other programs do: `python reading.py FILE POINTS RESULTS`, with nothing of this package.

POINTS is an .npz file of arrays (N, D) by name; RESULTS gets, for each, `NAME OUTPUT` (N,).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def of_onnx(file: str) -> Run:
    """The program in an .onnx file."""
    session: Any = import_module("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
    (points,), names = session.get_inputs(), [output.name for output in session.get_outputs()]
    return lambda x: dict(zip(names, session.run(None, {points.name: x}), strict=True))


def of_torch(file: str) -> Run:
    """The program in a .pt2 file."""
    import torch

    module: Any = torch.export.load(file).module()
    return lambda x: {name: y.detach().numpy() for name, y in module(torch.from_numpy(x)).items()}


def main(file: str, points: str, results: str) -> None:
    run = of_onnx(file) if file.endswith(".onnx") else of_torch(file)
    with np.load(points) as arrays:
        found = {f"{name} {key}": y for name in arrays.files for key, y in run(arrays[name]).items()}
    if any(name.partition(".")[0] == "mask_pinns" for name in sys.modules):
        raise SystemExit("this process has imported mask_pinns: it cannot tell whether the file does without")
    np.savez(results, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
