"""JAX as jaxpi uses it: everything jitted, nested grad under vmap, Adam by optax. Points stay the same."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import optax
from work import BLOCKS, INITIAL, INTERIOR, WALL, WIDTH, report


def dense(key, inputs: int, outputs: int) -> dict:
    scale = math.sqrt(2 / (inputs + outputs))
    return {"w": scale * jax.random.normal(key, (inputs, outputs)), "b": jnp.zeros(outputs), "alpha": jnp.ones(outputs)}


def masked(layer: dict, h):
    z = h @ layer["w"] + layer["b"]
    return jax.nn.gelu(z, approximate=False) * (1 - jnp.exp(-((layer["alpha"] * z) ** 2)))


def u(parameters, x, t):
    first, *hidden, last = parameters
    h = masked(first, jnp.stack([x, t]))
    for one, two in zip(hidden[::2], hidden[1::2], strict=True):
        h = h + masked(two, masked(one, h))
    return (h @ last["w"] + last["b"])[0]


def at_points(f):
    return jax.vmap(f, (None, 0, 0))


def loss(parameters, points):
    x, t, x0, tw = points
    zero = jnp.zeros_like
    u_xx, u_tt = (at_points(jax.grad(jax.grad(u, i), i)) for i in (1, 2))
    value, u_t = at_points(u), at_points(jax.grad(u, 2))
    interior = (u_tt(parameters, x, t) - u_xx(parameters, x, t)) ** 2
    start = (value(parameters, x0, zero(x0)) - jnp.sin(math.pi * x0)) ** 2 + u_t(parameters, x0, zero(x0)) ** 2
    walls = value(parameters, zero(tw), tw) ** 2 + value(parameters, zero(tw) + 1, tw) ** 2
    return interior.mean() + start.mean() + walls.mean()


keys = jax.random.split(jax.random.PRNGKey(0), 2 * BLOCKS + 6)
sizes = [2, *[WIDTH] * (2 * BLOCKS + 1), 1]
parameters = [dense(k, i, o) for k, i, o in zip(keys, sizes, sizes[1:], strict=False)]
adam = optax.adam(1e-3)
state = adam.init(parameters)
counts, lengths = (INTERIOR, INTERIOR, INITIAL, WALL), (1.0, 5.0, 1.0, 5.0)
points = [s * jax.random.uniform(k, (n,)) for k, n, s in zip(keys[-4:], counts, lengths, strict=True)]


@jax.jit
def update(parameters, state, points):
    value, gradient = jax.value_and_grad(loss)(parameters, points)
    change, state = adam.update(gradient, state)
    return optax.apply_updates(parameters, change), state, value


def step() -> float:
    global parameters, state
    parameters, state, value = update(parameters, state, points)
    return float(value)


report(step)
