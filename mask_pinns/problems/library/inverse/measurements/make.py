"""Makes the measurements of the inverse problems, from exact solutions, a reference and an integrator (SciPy).

python -m mask_pinns.problems.library.inverse.measurements.make
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

FOLDER = Path(__file__).parent
ROOT = 1.0768739863118038
"""The root w of w tan w = 2."""


def write(name: str, **columns: np.ndarray) -> None:
    table = np.stack(list(columns.values()), 1)
    np.savetxt(FOLDER / f"{name}.csv", table, "%.16g", ",", header=",".join(columns), comments="")


def cooling() -> None:
    draw = np.random.default_rng(0)
    x, t = draw.random((2, 200))
    write("cooling", x=x, t=t, u=np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x) + 0.01 * draw.normal(size=200))


def robin() -> None:
    draw = np.random.default_rng(0)
    x, t = draw.random((2, 200))
    write("robin", x=x, t=t, u=np.exp(-(ROOT**2) * t) * np.cos(ROOT * x) + 0.01 * draw.normal(size=200))


def burgers() -> None:
    """2,000 points of the reference's grid; noise of 1 % of the standard deviation of u."""
    data = np.load(FOLDER.parent.parent / "references" / "burgers.npz")
    x, t, u = data["x"], data["t"], data["u"]
    draw = np.random.default_rng(0)
    chosen = draw.choice(u.size, 2000, replace=False)
    i, j = np.unravel_index(chosen, u.shape)
    write("burgers_0", x=x[i], t=t[j], u=u[i, j])
    write("burgers_0.01", x=x[i], t=t[j], u=u[i, j] + 0.01 * u.std() * draw.normal(size=2000))
    print("burgers: standard deviation of u", u.std())


def lorenz() -> None:
    def slope(_: float, v: np.ndarray) -> list[float]:
        x, y, z = v
        return [10 * (y - x), x * (15 - z) - y, x * y - 8 / 3 * z]

    fine = np.linspace(0, 3, 301)
    found = solve_ivp(slope, (0, 3), [-8.0, 7.0, 27.0], "DOP853", fine, rtol=1e-13, atol=1e-13)
    values = dict(zip("xyz", found.y, strict=True))
    np.savez(FOLDER / "lorenz.npz", t=fine, **values)
    picked = np.linspace(0, 300, 25).round().astype(int)
    write("lorenz", t=fine[picked], **{name: value[picked] for name, value in values.items()})


def poisson() -> None:
    draw = np.random.default_rng(0)
    x, y = (axis.ravel() for axis in np.meshgrid(*2 * [np.linspace(0, 1, 50)], indexing="ij"))
    u = np.sin(np.pi * x) * np.sin(np.pi * y) + 0.1 * draw.normal(size=x.size)
    np.savez_compressed(FOLDER / "poisson.npz", x=x, y=y, u=u)


def heat() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.uniform(-1, 1, (2, 2500))
    t = draw.random(2500)
    u = np.exp(-t) * np.sin(np.pi * x) * np.sin(np.pi * y) + 0.1 * draw.normal(size=2500)
    np.savez_compressed(FOLDER / "heat.npz", x=x, y=y, t=t, u=u)


if __name__ == "__main__":
    for make in (cooling, robin, burgers, lorenz, poisson, heat):
        make()
