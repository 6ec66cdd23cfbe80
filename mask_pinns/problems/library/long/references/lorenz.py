"""Makes lorenz.npz, the Lorenz equations by Taylor series in numbers of 50 digits, and checks it in two ways.

    python -m mask_pinns.problems.library.long.references.lorenz

x' = s (y - x), y' = x (r - z) - y, z' = x y - b z, s = 10, r = 28, b = 8/3, x = y = z = 1 at t = 0. The equations give
each Taylor coefficient from those before it, products by Cauchy's rule; a step of 0.01 with 30 of them leaves out
1e-30 or so, and 50 decimal digits round far below that. Chaos multiplies errors by about exp(0.9 t), 7e7 at t = 20,
which leaves more than 20 of them; what is stored is rounded to double precision.
Checks: the same with 40 coefficients and 60 digits (they agree to 4e-33); and SciPy's DOP853 in double precision, with
tolerances of 1e-13. It is off by 2e-11 up to t = 10 and by 6e-8 up to t = 20: that is what double precision leaves.
"""

from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

from mask_pinns.problems.library.references.checks import require

S, R, B = 10, 28, Decimal(8)  # b = 8/3: B is divided by 3 in each context's precision
T = np.linspace(0.0, 20.0, 2001)


def coefficients(state: tuple[Decimal, ...], order: int) -> list[list[Decimal]]:
    """The Taylor coefficients of x, y, z up to the order."""
    b, series = B / 3, [[value] for value in state]
    x, y, z = series
    for n in range(order):
        xz = sum(x[i] * z[n - i] for i in range(n + 1))
        xy = sum(x[i] * y[n - i] for i in range(n + 1))
        slopes = (S * (y[n] - x[n]), R * x[n] - xz - y[n], xy - b * z[n])
        for values, slope in zip(series, slopes, strict=True):
            values.append(slope / (n + 1))
    return series


def taylor(order: int, digits: int) -> np.ndarray:
    """x, y, z at T, (3, 2001), one step from time to time."""
    with localcontext() as context:
        context.prec = digits
        step = Decimal(20) / (len(T) - 1)
        powers = [step**n for n in range(order + 1)]
        states = [(Decimal(1),) * 3]
        for _ in T[1:]:
            series = coefficients(states[-1], order)
            x, y, z = (sum((c * p for c, p in zip(v, powers, strict=True)), Decimal(0)) for v in series)
            states.append((x, y, z))
    return np.array(states).T


def dop853() -> np.ndarray:
    def slope(t: float, w: np.ndarray) -> np.ndarray:
        x, y, z = w
        return np.array([S * (y - x), x * (R - z) - y, x * y - 8 / 3 * z])

    return solve_ivp(slope, (0.0, 20.0), np.ones(3), method="DOP853", t_eval=T, rtol=1e-13, atol=1e-13).y


def main() -> None:
    precise, finer = taylor(30, 50), taylor(40, 60)
    solution = precise.astype(float)
    other = np.abs(solution - dop853())
    checks = {  # name: (largest difference, largest allowed)
        "Taylor, 30 coefficients and 50 digits against 40 and 60": (float(np.abs(precise - finer).max()), 1e-25),
        "Taylor against DOP853, to t = 10": (other[:, T <= 10].max(), 1e-9),
        "Taylor against DOP853, to t = 20": (other.max(), 1e-6),
    }
    require(checks)
    x, y, z = solution
    np.savez_compressed(Path(__file__).with_suffix(".npz"), t=T, x=x, y=y, z=z)


if __name__ == "__main__":
    main()
