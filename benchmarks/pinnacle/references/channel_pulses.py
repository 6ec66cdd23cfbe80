"""Makes channel_pulses.npz, pulses of a viscous fluid through a channel (NS2d-LT of PINNacle).

    python -m benchmarks.pinnacle.references.channel_pulses

u_t + u u_x + v u_y + P_x = nu Lap u, v_t + u v_x + v v_y + P_y = nu Lap v - sin(pi x) sin(pi y) sin(pi t) and
u_x + v_y = 0, nu = 0.01, on [0, 2] x [0, 1], t in [0, 5]; at rest at t = 0; u = v = 0 at y = 0 and y = 1; at the inlet
x = 0 u = sin(pi y) (sin pi t + sin 3 pi t + sin 5 pi t), v = 0. PINNacle also has P = 0 at t = 0, which is no condition
of these equations (P follows from the velocity, and is not 0 there): it is left out.
The force acts along y alone.

At the outlet x = 2 it has P = 0, which alone does not determine the flow: v = 0 is added, as in back_step (pressure
with normal flow; u_x = 0 follows by div u = 0). Fluid comes in through the outlet whenever it goes out at the inlet.
The flow without v = 0 there (only nu du/dn = P n) is solved coarsely, to see how much depends on that condition.

Finite elements and backward differences (channel.py), from the start with short steps, doubled again and again, since
the layers at the walls begin with no width. Checked are successive refinements and the volume that flows out. Stored
are 650 points at 26 times.
"""

import time
from itertools import pairwise
from pathlib import Path

import ngsolve as ng
import numpy as np
from scipy.stats import qmc

from benchmarks.pinnacle.references.methods.channel import Channel, inflow
from benchmarks.pinnacle.references.methods.record import record
from mask_pinns.problems.library.references.checks import require
from mask_pinns.problems.library.shapes.references.scattered import difference

T = np.append(np.arange(1, 50, 2) / 10, 5.0)
POINTS = qmc.Sobol(2, scramble=True, rng=0).random_base2(10)[:650] * [2.0, 1.0]


def solve(columns: int, rows: int, degree: int, dt: float, normal: bool = True) -> tuple[np.ndarray, float]:
    """u, v and P at POINTS and T, (3, points, times), and the largest error of the outflow at T."""
    flow, frames, wrong = Channel(columns, rows, degree, normal), [], 0.0
    flow.begin(dt, 6)
    for t in T:
        flow.march(dt, round((t - flow.time) / dt))
        frames.append(flow.values(*POINTS.T))
        wrong = max(wrong, abs(flow.outflow() - inflow(t) * 2 / np.pi))
    return np.stack(frames, -1), wrong


REFINEMENTS = ((12, 6, 5, 0.005), (12, 6, 6, 0.004), (14, 7, 7, 0.0025))


def main() -> None:
    ng.SetNumThreads(1)
    values, seconds = [], []
    for refinement in REFINEMENTS:
        began = time.perf_counter()
        frames, wrong = solve(*refinement)
        values.append(frames)
        seconds.append(round(time.perf_counter() - began, 1))
        print(refinement, seconds[-1], flush=True)
    differences = {
        "u, v": [difference(coarse[:2], fine[:2]) for coarse, fine in pairwise(values)],
        "P": [difference(coarse[2], fine[2]) for coarse, fine in pairwise(values)],
    }
    fine, free = values[-1], solve(*REFINEMENTS[0], normal=False)[0]
    require(
        {
            "u, v of the last two refinements (relative L2)": (differences["u, v"][-1], 1e-3),
            "P of the last two refinements (relative L2)": (differences["P"][-1], 1e-3),
            "volume that flows out": (wrong, 1e-6),
        }
    )
    u, v, pressure = fine.astype(np.float32)
    np.savez_compressed(Path(__file__).with_suffix(".npz"), x=POINTS[:, 0], y=POINTS[:, 1], t=T, u=u, v=v, P=pressure)
    by_time = {str(t): difference(values[-2][:2, :, k], fine[:2, :, k]) for k, t in enumerate(T)}
    figures = {
        "method": "Taylor-Hood elements on rectangles (ngsolve), backward differences of order 3, linear steps",
        "refinements": "columns, rows, degree, step: " + "; ".join(map(str, REFINEMENTS)),
        "seconds": seconds,
        "relative L2 difference between successive refinements": differences,
        "of u, v at times, of the last two": {t: float(f"{d:.1e}") for t, d in by_time.items()},
        "largest error of the outflow": wrong,
        "relative L2 difference of u, v to the flow without v = 0 at the outlet": difference(free[:2], fine[:2]),
    }
    record("channel_pulses", figures)


if __name__ == "__main__":
    main()
