"""Makes back_step.npz and back_step_no_backflow.npz, the steady flow over a backward step, with two outlets.

    python -m mask_pinns.problems.library.shapes.references.back_step

The equations of lid_cavity with nu = .01 on [0, 4] x [0, 2] less [0, 2] x [1, 2]; u = 4 y (1 - y), v = 0 at the inlet
x = 0; u = v = 0 on the walls; P = 0 at the outlet x = 4. This is NS2d-CG of PINNacle (Hao et al., arXiv 2306.08827).

P = 0 alone does not determine the flow. back_step.npz adds v = 0 (pressure with normal flow): so u_x = 0 as well, by
div u = 0. The vortex behind the step reaches through the outlet, where fluid comes in above y = 1.5.
PINNacle's data do not have P = 0 there: they have P = -96 to -100 u^2 where fluid comes in, with v about 0, which is
how COMSOL suppresses backflow. back_step_no_backflow.npz has v = 0 and P = -100 min(u, 0)^2 on x = 4, and is what
those data approximate. Three more outlets are compared with the data, at lower accuracy.

At the reentrant corner (2, 1) the velocity is like r^0.544 and P like r^-0.456. Finite elements (flow.py) refined
towards it, and along the outlet, where v = 0 makes a layer of width nu / u, about .013.
"""

from functools import partial

import numpy as np

from mask_pinns.problems.library.shapes.references.flow import Flow
from mask_pinns.problems.library.shapes.references.scattered import Reference, far_from, make

SINGULAR = ((2.0, 1.0),)


def boundary(x: float, y: float) -> str:
    if x in (0, 4):
        return "out" if x else "inlet"
    return "wall" if y in (0, 2) or (x < 2 and y == 1) or (x == 2 and y > 1) else "inner"


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    corners = ((0, 0), (0, 1), (2, 2), (4, 0), (4, 2), *SINGULAR)
    return ((x > 2) | (y < 1)) & far_from(corners, 1e-3, x, y)


FLOW = Flow(
    squares=((0, 0), (1, 0), (2, 0), (2, 1), (3, 0), (3, 1)),
    boundary=boundary,
    prescribed=lambda ng: {"inlet": ng.CF((4 * ng.y * (1 - ng.y), 0))},
    corners={(2, 1): 1, (0, 0): 0.3, (0, 1): 0.3, (2, 2): 0.3, (4, 0): 0.3, (4, 2): 0.3},
    fine={"out": 0.2},
)


def reference(outlet: str, name: str, accurate: bool) -> Reference:
    """The reference with one of the outlets of flow.OUTLETS."""
    low, middle, high = ({"size": 0.3, "layers": 14, "degree": degree} for degree in (6, 8, 10))
    finest = {"size": 0.25, "layers": 18, "degree": 12}
    return Reference(
        name=name,
        method=f"Taylor-Hood elements of degree p, geometric layers at the corners, Newton (ngsolve); outlet: {outlet}",
        fields=("u", "v", "P"),
        groups=(("u", "v"), ("P",)),
        box=(0.0, 4.0, 0.0, 2.0),
        inside=inside,
        solve=partial(FLOW.solve, outlet=outlet),
        refinements=(middle, high, finest) if accurate else (low, middle),
        allowed=1e-6 if accurate else 0.1,
        compared=("ns_0_obstacle.npz",),
        corners=SINGULAR,
        module="back_step",
        stored=accurate,
    )


REFERENCE = reference("normal", "back_step", True)
NO_BACKFLOW = reference("no_backflow", "back_step_no_backflow", True)
OTHERS = [reference(name, f"back_step_{name}", False) for name in ("do_nothing", "no_stress", "pressure")]

if __name__ == "__main__":
    make(REFERENCE, NO_BACKFLOW, *OTHERS)
