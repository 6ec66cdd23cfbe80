"""A loss with causal weights, for the tests of weights that adapt."""

from __future__ import annotations

import torch
from helpers import small_network
from torch import Tensor

from mask_pinns import Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.problems.loading import make_problem


def causal_parts(problem: str = "burgers", engine: str = "jet") -> tuple[Objective, torch.nn.Module, dict[str, Tensor]]:
    p = make_problem(problem)
    objective = Objective(p, weights={"pde": 0.3}, derivatives=engine, causal=2.0)
    return objective, small_network("masked", len(p.domain), len(p.fields)), PointsDataModule(p, points=40).draw(0)
