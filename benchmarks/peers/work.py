"""The work that all peers are timed on: the published wave setting, and how seconds per step are reported.

u_tt = u_xx, x in [0, 1], t in [0, 5]; u(x, 0) = sin pi x, u_t(x, 0) = 0, u = 0 at both ends; the masked residual GELU
network 64 x 3, Adam 1e-3, float32, 5000 interior, 400 initial and 400 points a wall. Imports no peer, and not this
package.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

WIDTH, BLOCKS = 64, 3
INTERIOR, INITIAL, WALL = 5000, 400, 400
WARMUP, STEPS = 5, 25


def report(step: Callable[[], float]) -> None:
    """Takes steps one by one and prints the last loss and the median seconds of a step as JSON."""
    for _ in range(WARMUP):
        step()
    seconds, loss = [], 0.0
    for _ in range(STEPS):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    publish(statistics.median(seconds), float(loss))


def publish(seconds: float, loss: float) -> None:
    print(json.dumps({"s_per_step": seconds, "loss": loss}))


def torch_network():
    """The masked residual network in plain torch."""
    import torch
    from torch import nn

    class Masked(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(inputs, outputs)
            self.alpha = nn.Parameter(torch.ones(outputs))
            nn.init.xavier_normal_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

        def forward(self, x):
            z = self.linear(x)
            return nn.functional.gelu(z) * (1 - torch.exp(-((self.alpha * z) ** 2)))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input = Masked(2, WIDTH)
            layers = [nn.Sequential(Masked(WIDTH, WIDTH), Masked(WIDTH, WIDTH)) for _ in range(BLOCKS)]
            self.blocks = nn.ModuleList(layers)
            self.output = nn.Linear(WIDTH, 1)

        def forward(self, x):
            h = self.input(x)
            for block in self.blocks:
                h = h + block(h)
            return self.output(h)

    return Network()
