"""DeepXDE with the PyTorch backend and DeepXDE's training loop. Points stay the same; boundary points are drawn on all
walls together, so that there are twice as many as on one."""

from __future__ import annotations

import os
import statistics
import time

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
from work import INITIAL, INTERIOR, STEPS, WALL, WARMUP, publish, torch_network

PART = STEPS // 5

domain = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 5))


def equation(x, y):
    return dde.grad.hessian(y, x, i=1, j=1) - dde.grad.hessian(y, x, i=0, j=0)


conditions = [
    dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on: on),
    dde.icbc.IC(domain, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on),
    dde.icbc.OperatorBC(
        domain, lambda x, y, _: dde.grad.jacobian(y, x, i=0, j=1), lambda x, _: np.isclose(x[1], 0)
    ),
]  # fmt: skip
data = dde.data.TimePDE(
    domain, equation, conditions, num_domain=INTERIOR, num_boundary=2 * WALL, num_initial=INITIAL
)  # fmt: skip


class Network(dde.nn.NN):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch_network()

    def forward(self, x):
        return self.inner(x)


model = dde.Model(data, Network())
model.compile("adam", lr=1e-3)
model.train(iterations=WARMUP, display_every=10**9, verbose=0)
seconds = []
for _ in range(5):
    start = time.perf_counter()
    model.train(iterations=PART, display_every=10**9, verbose=0)
    seconds.append((time.perf_counter() - start) / PART)
publish(statistics.median(seconds), float(np.sum(model.train_state.loss_train)))
