"""This package, compiled: points redrawn at every step, the whole loss in one graph, Adam."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from work import BLOCKS, INITIAL, INTERIOR, WALL, WIDTH, report

sys.path.insert(0, str(Path(__file__).parents[2]))

from mask_pinns import NETWORKS, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective.compilation import compiled_loss
from mask_pinns.problems.loading import make_problem

torch.manual_seed(0)
problem = make_problem("wave")
data = PointsDataModule(problem, points={"pde": INTERIOR, "initial": INITIAL, "dirichlet_x": WALL})
network = NETWORKS["masked"](2, 1, WIDTH, BLOCKS)
loss_of = compiled_loss(Objective(problem), network, data.draw(0), required=True)
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
count = 0


def step() -> float:
    global count
    count += 1
    optimizer.zero_grad()
    loss = loss_of(network, data.draw(count))[0]
    loss.backward()
    optimizer.step()
    return float(loss.detach())


report(step)
