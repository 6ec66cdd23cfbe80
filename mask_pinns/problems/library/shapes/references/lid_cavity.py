"""Makes lid_cavity.npz, the steady flow in a square cavity below a lid that drags it along.

    python -m mask_pinns.problems.library.shapes.references.lid_cavity

u u_x + v u_y = nu Lap u - P_x, u v_x + v v_y = nu Lap v - P_y, u_x + v_y = 0 on [0, 1]^2, nu = .01; u = 4 x (1 - x),
v = 0 on the lid y = 1, u = v = 0 on the walls, P = 0 at (0, 0). This is NS2d-C of PINNacle (Hao et al.,
arXiv 2306.08827).

The lid's speed falls to zero at its ends, but with the slope 4, and v_y = 0 on the wall: div u = 0 does not hold in
the limit, so velocity gradients jump and P is unbounded like log r. Finite elements (flow.py) refined towards the
corners converge exponentially all the same.
"""

import numpy as np

from mask_pinns.problems.library.shapes.references.flow import Flow
from mask_pinns.problems.library.shapes.references.scattered import Reference, far_from, make

SINGULAR = ((0.0, 1.0), (1.0, 1.0))


def boundary(x: float, y: float) -> str:
    if y == 1:
        return "lid"
    return "wall" if x in (0, 1) or y == 0 else "inner"


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return far_from(SINGULAR, 1e-3, x, y)


FLOW = Flow(
    squares=((0, 0),),
    boundary=boundary,
    prescribed=lambda ng: {"lid": ng.CF((4 * ng.x * (1 - ng.x), 0))},
    corners={(0, 1): 1, (1, 1): 1, (0, 0): 0.5, (1, 0): 0.5},
    zero_pressure=(0, 0),
)
REFERENCE = Reference(
    name="lid_cavity",
    method="Taylor-Hood elements of degree p, geometric layers at the corners, Newton (ngsolve)",
    fields=("u", "v", "P"),
    groups=(("u", "v"), ("P",)),
    box=(0.0, 1.0, 0.0, 1.0),
    inside=inside,
    solve=FLOW.solve,
    refinements=(
        {"size": 0.12, "layers": 8, "degree": 10},
        {"size": 0.12, "layers": 8, "degree": 12},
        {"size": 0.1, "layers": 10, "degree": 12},
    ),
    allowed=1e-8,
    compared=("lid_driven_a4.npz",),
    corners=SINGULAR,
)

if __name__ == "__main__":
    make(REFERENCE)
