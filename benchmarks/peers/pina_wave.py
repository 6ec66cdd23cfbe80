"""PINA's PINN solver and trainer (on Lightning), without progress bar and logs. Points stay the same."""

from __future__ import annotations

import statistics
import time

import torch
from lightning.pytorch.callbacks import Callback
from pina import Condition, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation, FixedValue
from pina.operator import grad, laplacian
from pina.optim import TorchOptimizer
from pina.problem import SpatialProblem, TimeDependentProblem
from pina.solver import PINN
from work import INITIAL, INTERIOR, STEPS, WALL, WARMUP, publish, torch_network


def second(output, points, name):
    return laplacian(output, points, components=["u"], d=[name])


def equation(points, output):
    return second(output, points, "t") - second(output, points, "x")


def start(points, output):
    return output.extract(["u"]) - torch.sin(torch.pi * points.extract(["x"]))


def at_rest(points, output):
    return grad(output, points, components=["u"], d=["t"])


X, T = [0, 1], [0, 5]


class Wave(TimeDependentProblem, SpatialProblem):
    output_variables = ["u"]  # noqa: RUF012  # PINA's convention
    spatial_domain = CartesianDomain({"x": X})
    temporal_domain = CartesianDomain({"t": T})
    domains = {  # noqa: RUF012  # as above
        "inside": CartesianDomain({"x": X, "t": T}),
        "start": CartesianDomain({"x": X, "t": 0}),
        "rest": CartesianDomain({"x": X, "t": 0}),
        "left": CartesianDomain({"x": 0, "t": T}),
        "right": CartesianDomain({"x": 1, "t": T}),
    }
    conditions = {  # noqa: RUF012  # as above
        "inside": Condition(domain="inside", equation=Equation(equation)),
        "start": Condition(domain="start", equation=Equation(start)),
        "rest": Condition(domain="rest", equation=Equation(at_rest)),
        "left": Condition(domain="left", equation=FixedValue(0.0)),
        "right": Condition(domain="right", equation=FixedValue(0.0)),
    }


problem = Wave()
counts = {"inside": INTERIOR, "start": INITIAL, "rest": INITIAL, "left": WALL, "right": WALL}
for name, n in counts.items():
    problem.discretise_domain(n, "lh", domains=name)


class Clock(Callback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_) -> None:
        self.times.append(time.perf_counter())


clock = Clock()
solver = PINN(problem=problem, model=torch_network(), optimizer=TorchOptimizer(torch.optim.Adam, lr=1e-3))
quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False}
trainer = Trainer(solver, max_epochs=WARMUP + STEPS, accelerator="cpu", callbacks=[clock], **quiet)
trainer.train()
gaps = [b - a for a, b in zip(clock.times[WARMUP:], clock.times[WARMUP + 1 :], strict=False)]
publish(statistics.median(gaps), float(trainer.callback_metrics["train_loss"]))
