# %% [markdown]
# # From nothing to a solution
#
# Burgers' equation makes a front out of a sine. It comes along with the package, with a recipe that was chosen for
# it: network, optimizer, points. One call trains it; a few Gauss-Newton steps are enough here.

# %%
from mask_pinns import load_solution, plot_solution, recipe_for, save_solution

recipe = recipe_for("burgers", optimizer="gauss_newton 40")
model = recipe.fit(enable_progress_bar=True)

# %% [markdown]
# The picture shows the solution, the reference, and the error.

# %%
figure = plot_solution(model)

# %% [markdown]
# The solution is a function. At any points, and with any derivatives:

# %%
points = [[0.0, 0.5], [0.02, 0.5], [0.5, 0.5]]  # x, t
print(model.predict(points))
print(model.derivatives(points, "x", "t"))

# %% [markdown]
# Save it, load it in another process, and go on with another optimizer.

# %%
save_solution(model, "burgers.ckpt")
again = load_solution("burgers.ckpt")
better = recipe_for("burgers", optimizer="gauss_newton 20").fit(start=again)

# %% [markdown]
# How far the first and the second solution differ tells how far the first one was from its goal:

# %%
print(abs(better.predict(points) - model.predict(points)).max())
