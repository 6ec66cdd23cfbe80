"""What the tests of assembled networks share: a problem without symmetries, embeddings, small networks made of both."""

from __future__ import annotations

from math import pi

import torch
from helpers import CALM

from mask_pinns import Box, Dirichlet, Initial, Periodic, Problem
from mask_pinns.networks.assembly import assemble

EMBEDDINGS = {
    "none": {},
    "normalize": {"normalize": True},
    "scale": {"scale": {"t": 3.0}},
    "periodic": {"periodic": ["y"], "harmonics": 2},
    "fourier": {"fourier": 4, "fourier_std": 0.7},
    "all": {"periodic": ["y"], "normalize": True, "fourier": 3, "fourier_trainable": True,
            "fourier_activation": "tanh"},
}  # fmt: skip


EXACT = {"none": (), "initial": ("initial",), "all": "all"}


class Waves(Problem):
    """Two fields in a box that is nowhere alike, targets that depend on everything and agree where they meet."""

    domain = Box(t=(0.5, 2.0), x=(-1.0, 2.0), y=(0.0, 3.0))
    fields = ("u", "v")
    derivatives = ("tt", "xx", "yy")

    @property
    def conditions(self):
        return (
            Initial(u=lambda p: self.u(p), u_t=lambda p: -torch.exp(-p.t) * p.x * torch.sin(2 * pi * p.y / 3), v=1.5),
            Dirichlet("x", u=lambda p: self.u(p), v=lambda p: 1.5 + (p.t - 0.5) * p.x / (2 + torch.cos(p.t))),
            Periodic("y", order=1),
        )

    @staticmethod
    def u(p):
        return p.x * torch.exp(-p.t) * torch.sin(2 * pi * p.y / 3)

    def residual(self, p, u, v):
        return u.tt - u.xx - u.yy, v.tt - v.xx - u


def build(name: str = "masked", embedding: str = "none", exact="all", problem: Problem | None = None):
    """A small network with ends, biases and alphas and frequencies not all alike."""
    problem, options = problem or Waves(), {"width": 6, "blocks": 1, "activation": "tanh"}
    if exact == "all" and "y" not in EMBEDDINGS[embedding].get("periodic", ()):
        exact = [c.name for c in problem.terms[1:] if not isinstance(c, Periodic)]
    torch.manual_seed(0)
    network = assemble(
        {"name": name, **options, **CALM.get(name, {})}, problem, embedding=EMBEDDINGS[embedding], exact=exact
    )
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


def inside(box: Box, n: int, seed: int = 1) -> torch.Tensor:
    unit = torch.rand(n, len(box), generator=torch.Generator().manual_seed(seed))
    return torch.tensor(box.low) + (torch.tensor(box.high) - torch.tensor(box.low)) * unit
