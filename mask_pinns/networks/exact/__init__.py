"""Conditions that hold by construction: `HardConstraints`, and the check that they do."""

from mask_pinns.networks.exact.checks import check_constraints
from mask_pinns.networks.exact.hard_constraints import HardConstraints, probe_points

__all__ = ["HardConstraints", "check_constraints", "probe_points"]
