# %% [markdown]
# # An inverse problem
#
# A beam of light is absorbed on its way: how strongly, nobody knows; but it was measured at a few places. Training
# finds the number and the field together.

# %%
import numpy as np

from mask_pinns import Box, Data, Dirichlet, Problem, Unknown, plot_solution, recipe_for

rng = np.random.default_rng(0)
x = rng.uniform(0, 2, 40)
measured = np.exp(-1.3 * x) + 0.01 * rng.standard_normal(40)  # in truth, k = 1.3


class Absorption(Problem):
    """I' = -k I, I(0) = 1, k unknown."""

    fields = ("I",)
    domain = Box(x=(0.0, 2.0))
    derivatives = ("x",)
    unknowns = (Unknown("k", start=0.5, positive=True),)
    conditions = (Dirichlet("x", side="low", I=1.0), Data({"x": x, "I": measured}, noise=0.01))

    def residual(self, p, I, k):  # noqa: E741
        return I.x + k * I


model = recipe_for(Absorption(), network={"width": 8, "blocks": 1}, points={"pde": 200}).fit()
print(model.unknowns)

# %% [markdown]
# How sure is that? The curvature of the loss around the solution tells (a Laplace approximation), from the noise of
# the measurements and what the equation says:

# %%
import torch  # noqa: E402

from mask_pinns import PointsDataModule  # noqa: E402
from mask_pinns.objective.posterior import make_posterior  # noqa: E402

points = PointsDataModule(model.problem, points=200)
posterior = make_posterior(model.objective, model.network, lambda: points.draw(0, dtype=torch.float64))
print(posterior.of_unknowns())

# %%
figure = plot_solution(model)
