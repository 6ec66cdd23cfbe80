"""The benchmarks' own parts: what is timed against us computes the same thing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from conftest import small_network

from datamodules import PointsDataModule
from mask_pinns import Objective

HERE = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def step_time():
    spec = importlib.util.spec_from_file_location("step_time", HERE / "step_time.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["step_time"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_the_published_network_is_ours(step_time, activation: str) -> None:
    network = small_network("masked", 2, 1, activation)
    x = torch.randn(9, 2)
    torch.testing.assert_close(step_time.Published(network, activation)(x), network(x))


@pytest.mark.usefixtures("float64")
def test_every_work_has_the_same_loss_both_ways(step_time) -> None:
    for work in step_time.WORKS.values():
        network = small_network("masked", 2, 1, work.activation)
        points = PointsDataModule(work.problem, 20).draw(0)
        nested = Objective(work.problem, derivatives="autograd").loss(
            step_time.Published(network, work.activation), points
        )
        torch.testing.assert_close(Objective(work.problem).loss(network, points)[0], nested[0], rtol=1e-9, atol=1e-9)
