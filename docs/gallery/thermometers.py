"""A conductivity from thermometers
inverse
Two hundred noisy measurements, and one number that nobody knows. Training finds it together with the field.
"""

from pathlib import Path

import numpy as np
import torch

from mask_pinns import Box, Data, Dirichlet, Initial, Problem, Unknown, plot_solution, recipe_for

rng = np.random.default_rng(0)
x, t = rng.uniform(0, 1, 200), rng.uniform(0, 1, 200)
u = np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x) + 0.01 * rng.standard_normal(200)  # measured; in truth k = 0.1


class Rod(Problem):
    """u_t = k u_xx, k unknown."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    unknowns = (Unknown("k", start=1.0, positive=True),)
    conditions = (
        Initial(u=lambda p: torch.sin(torch.pi * p.x)),
        Dirichlet("x", u=0.0),
        Data({"x": x, "t": t, "u": u}, noise=0.01),
    )

    def residual(self, p, u, k):
        return u.t - k * u.xx


model = recipe_for(Rod(), network={"width": 10, "blocks": 1}, points={"pde": 500}).fit()
print(f"k = {model.unknowns['k']:.4f}")
plot_solution(model, Path(__file__).with_suffix(".png"))
