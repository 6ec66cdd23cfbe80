"""Mask-PINNs: physics-informed networks with learnable, pointwise feature masks (arXiv 2505.06331)."""

from mask_pinns.module import MaskPINN
from mask_pinns.networks import NETWORKS
from mask_pinns.objective import Objective
from mask_pinns.problems import (
    PROBLEMS,
    Box,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Periodic,
    Problem,
)
from mask_pinns.rollback import NonFiniteLoss
from mask_pinns.version import __version__

__all__ = [
    "NETWORKS", "PROBLEMS", "Box", "Condition", "Dirichlet", "Initial", "MaskPINN", "Neumann", "NonFiniteLoss",
    "Objective", "Periodic", "Problem", "__version__",
]  # fmt: skip
