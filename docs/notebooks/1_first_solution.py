# %% [markdown]
# # From nothing to a solution
#
# The Klein-Gordon equation comes along with the package, with a recipe that was chosen for it: network, optimizer,
# points. One call trains it, in some twenty seconds.

# %%
from mask_pinns import load_solution, plot_solution, recipe_for, save_solution

recipe = recipe_for("klein_gordon")
model = recipe.fit(enable_progress_bar=True)

# %% [markdown]
# The picture shows the solution, the reference, and the error.

# %%
figure = plot_solution(model)

# %% [markdown]
# The solution is a function. At any points, and with any derivatives:

# %%
points = [[0.0, 0.5], [0.2, 0.5], [0.5, 0.5]]  # x, t
print(model.predict(points))
print(model.derivatives(points, "x", "t"))

# %% [markdown]
# Save it, load it in another process, and go on with another optimizer.

# %%
save_solution(model, "first.ckpt")
again = load_solution("first.ckpt")
better = recipe_for("klein_gordon", optimizer="gauss_newton 20, tangent 2").fit(start=again)

# %% [markdown]
# How far the first and the second solution differ tells how far the first one was from its goal:

# %%
print(abs(better.predict(points) - model.predict(points)).max())
