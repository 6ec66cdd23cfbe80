"""Mask-PINNs: physics-informed networks with learnable, pointwise feature masks (arXiv 2505.06331).

The public API is imported from here:

    from mask_pinns import Box, Dirichlet, Initial, MaskPINN, PointsDataModule, Problem

A name is imported from its module when it is first asked for (PEP 562), because torch and Lightning take seconds to
import, and the command line answers mistakes without them.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mask_pinns.checkout  # noqa: F401  (first: it says where callbacks and datamodules are)
from mask_pinns.catalog.source import imported_names

if TYPE_CHECKING:  # type checkers read these lines, and so does _MODULES below
    from mask_pinns.callbacks import (
        FeatureStatistics,
        LastCheckpoint,
        MetricsFile,
        Patience,
        Progress,
        RunSummary,
        SolutionFigures,
        StopOnSignal,
        Throughput,
        TrainingAlarms,
        best_checkpoint,
    )
    from mask_pinns.checkpoints.rollback import NonFiniteLoss
    from mask_pinns.datamodules import SAMPLERS, PointsDataModule
    from mask_pinns.domains import Ball, Box, Disk, Domain, Ellipse, HalfPlane, Mesh, Points, Polygon, outline, union
    from mask_pinns.export import export_solution
    from mask_pinns.jets import ACTIVATIONS, Derivatives, Jet, JetNetwork
    from mask_pinns.module import MaskPINN
    from mask_pinns.networks import NETWORKS
    from mask_pinns.objective import Objective
    from mask_pinns.optim import OPTIMIZERS
    from mask_pinns.problems import (
        PROBLEMS,
        Condition,
        Data,
        Dirichlet,
        Initial,
        Integral,
        Interface,
        Mean,
        Neumann,
        Periodic,
        Pin,
        Problem,
        Robin,
        Unknown,
    )
    from mask_pinns.problems.derived.scales import characteristic_scales
    from mask_pinns.problems.grid_fields import GridField
    from mask_pinns.problems.random_fields import RandomField
    from mask_pinns.recipe import recipe_for
    from mask_pinns.settings import Constraints, Embedding, LossSettings, Sampling, TrainingSettings
    from mask_pinns.solution import load_solution, plot_solution, save_solution
    from mask_pinns.version import __version__

__all__ = [
    "ACTIVATIONS", "NETWORKS", "OPTIMIZERS", "PROBLEMS", "SAMPLERS", "Ball", "Box", "Condition", "Constraints",
    "Data", "Derivatives", "Dirichlet", "Disk", "Domain", "Ellipse", "Embedding", "FeatureStatistics", "GridField",
    "HalfPlane", "Initial", "Integral", "Interface", "Jet", "JetNetwork", "LastCheckpoint", "LossSettings",
    "MaskPINN", "Mean", "Mesh", "MetricsFile", "Neumann", "NonFiniteLoss", "Objective", "Patience", "Periodic",
    "Pin", "Points", "PointsDataModule", "Polygon", "Problem", "Progress", "RandomField", "Robin", "RunSummary",
    "Sampling", "SolutionFigures", "StopOnSignal", "Throughput", "TrainingAlarms", "TrainingSettings", "Unknown",
    "__version__", "best_checkpoint", "characteristic_scales", "export_solution", "load_solution", "outline",
    "plot_solution", "recipe_for", "save_solution", "union",
]  # fmt: skip

_MODULES = {name: module for name, module in imported_names(Path(__file__)).items() if name in __all__}
"""The public names, each with its module, as they stand above."""


def __getattr__(name: str) -> Any:
    """Imports a public name from its module, or a room of the package."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):  # not __main__, which would run
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
