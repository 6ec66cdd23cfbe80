"""Reads the points of a prediction from a user's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mask_pinns.cli.run_folder import UsageError


def read_points(file: str, names: tuple[str, ...]) -> np.ndarray:
    """Reads points (N, D) from an .npy or .csv file. Raises UsageError for anything else."""
    path = Path(file)
    if not path.is_file() or path.suffix not in (".npy", ".csv"):
        raise UsageError(f"points file {path}: expected an existing .npy or .csv file")
    try:
        loaded = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, delimiter=",", ndmin=2)
        points = np.asarray(loaded, dtype=np.float64)
    except Exception as error:  # numpy raises many kinds of errors for invalid files
        raise UsageError(f"points file {path} cannot be read: {error}") from None
    if points.ndim != 2 or points.shape[1] != len(names):
        raise UsageError(f"points file {path} has shape {points.shape}; expected (N, {len(names)}): {', '.join(names)}")
    return points
