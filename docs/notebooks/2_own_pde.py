# %% [markdown]
# # A PDE of your own
#
# A class says where the equation holds, which derivatives it has, what is known at the edges, and what has to vanish.
# Here a drum that is struck: the wave equation with a little damping in a round membrane.

# %%
from mask_pinns import Box, Dirichlet, Disk, Initial, Problem, plot_solution, recipe_for


class Drum(Problem):
    """u_tt + 0.2 u_t = u_xx + u_yy in a disk, at rest at first and bent to one side."""

    rim = Disk(x=0.0, y=0.0, radius=1.0)
    domain = rim & Box(t=(0.0, 1.5))
    derivatives = ("tt", "xx", "yy")
    conditions = (
        Initial(u=lambda p: (1 - p.x**2 - p.y**2) * (0.5 + 0.5 * p.x), u_t=0.0),
        Dirichlet(rim, u=0.0),
    )

    def residual(self, p, u):
        return u.tt + 0.2 * u.t - u.xx - u.yy


# %% [markdown]
# `recipe_for` takes any problem. It tries everything once at a few points, so that a derivative that is not declared,
# or a condition that contradicts another one, is an error now, in one line, and not after training.

# %%
recipe = recipe_for(Drum(), points={"pde": 4000}, steps=40)
print(recipe.module.network.hard_conditions)  # the conditions that hold by construction

# %%
model = recipe.fit()
figure = plot_solution(model)

# %% [markdown]
# Nobody knows the solution of this problem. Three things tell how good the answer is: the loss at fresh points, which
# the command line prints beside the loss; a second run with another seed and a wider network, whose difference is an
# estimate of the error; and a question with a known answer. At the rim, u is zero:

# %%
print(model.predict([[1.0, 0.0, 0.7], [0.0, 1.0, 1.2]]))

# %%
second = recipe_for(Drum(), seed=1, points={"pde": 4000}, network={"width": 24}, steps=40).fit()
inside = [[0.3, 0.2, 1.0], [-0.5, 0.1, 1.4]]
print(abs(model.predict(inside) - second.predict(inside)).max())
