"""Points of a user's own, to predict at, from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mask_pinns.configuration import UsageError


def read_points(file: str, names: tuple[str, ...]) -> np.ndarray:
    """Points (N, D) from an .npy or .csv file. Raises UsageError for anything else."""
    path = Path(file)
    if not path.is_file() or path.suffix not in (".npy", ".csv"):
        raise UsageError(f"points file {path}: expected an existing .npy or .csv file")
    try:
        loaded = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", ndmin=2)
        points = np.asarray(loaded, dtype=np.float64)
    except Exception as error:  # empty, cut off, of another kind: numpy fails in many ways
        raise UsageError(f"points file {path} cannot be read: {error}") from None
    if points.ndim != 2 or points.shape[1] != len(names):
        raise UsageError(f"points file {path} has shape {points.shape}; expected (N, {len(names)}): {', '.join(names)}")
    return points
