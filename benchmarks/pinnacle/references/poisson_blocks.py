"""Makes poisson_blocks.npz, Poisson's equation in a square of 25 unlike blocks: Poisson2d-MS of PINNacle.

    python -m benchmarks.pinnacle.references.poisson_blocks [--data FOLDER --file FILE]

div(a grad u) + f = 0 on [-10, 10]^2, a constant in each of 5 x 5 equal blocks, f by blocks
(those of the problem); u and the flux a du/dn are continuous across blocks, du/dn = -u on the outer boundary,
where the flux is thus -a u (Hao et al., arXiv 2306.08827). FOLDER holds the benchmark's own coefficients,
poisson_coefficients.npz, of which its program uses only c[0, 0] and c[1, 1] (the other terms are with sin(0)); their
reference goes to FILE.

Where four blocks meet, u - u(corner) is like r^e with e < 1. Finite elements of degree p on triangles of half a
block's side at most, with geometric layers towards all corners of blocks (hp-FEM, by ngsolve); no triangle spans more
than 45 degrees of a corner. What the innermost triangles leave out is of the order (their size / 4)^(2 e).

Checked: degree, triangles and layers change from one refinement to the next, and the last two must agree; over the
whole square what flows out is what the source gives. The exponents e of all corners are noted (corners.py).
"""

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pinnacle.problems.poisson_blocks import A, C
from benchmarks.pinnacle.references.methods.common import Row, make, options, scattered
from benchmarks.pinnacle.references.methods.corners import exponents

BLOCKS = len(A)
HALF = 10.0
"""Half the side of the square."""
SIDE = 2 * HALF / BLOCKS
LAYER = 1 / 8
"""The width of a layer to that of the one before."""


def block(x: np.ndarray) -> np.ndarray:
    """The number of the block along a coordinate, 0 to 4."""
    return np.clip(np.floor((np.asarray(x) + HALF) / SIDE), 0, BLOCKS - 1).astype(int)


def mesh_of(size: float, layers: int) -> Any:
    """Triangles of such a size in each block, which its diagonals cut into four, and layers at the blocks' corners."""
    import ngsolve
    from netgen.occ import Glue, OCCGeometry, WorkPlane

    faces = []
    for i, j in product(range(BLOCKS), repeat=2):
        x, y = i * SIDE - HALF, j * SIDE - HALF
        ring = [(x, y), (x + SIDE, y), (x + SIDE, y + SIDE), (x, y + SIDE)]
        for start, end in zip(ring, [*ring[1:], ring[0]], strict=True):
            path = WorkPlane().MoveTo(*start).LineTo(*end).LineTo(x + SIDE / 2, y + SIDE / 2).Close()
            faces.append(path.Face())
            faces[-1].name = f"{i} {j}"
    shape = Glue(faces)
    for edge in shape.edges:
        far = max(abs(edge.center.x), abs(edge.center.y))
        edge.name = f"{block(edge.center.x)} {block(edge.center.y)}" if abs(far - HALF) < 1e-9 else "inner"
    for vertex in shape.vertices:
        corner = (vertex.p.x + HALF) / SIDE
        vertex.hpref = int(abs(corner - round(corner)) < 1e-9)
    mesh = ngsolve.Mesh(OCCGeometry(shape, dim=2).GenerateMesh(maxh=size))
    mesh.RefineHP(layers, LAYER)
    return mesh


def fields(mesh: Any, a: np.ndarray, c: np.ndarray) -> tuple[Any, Any, Any]:
    """a, a on the outer boundary and f as expressions on the mesh."""
    import ngsolve as ng

    sources = {}
    for i, j in product(range(BLOCKS), repeat=2):
        along_x = ng.sin(np.pi * ((ng.x + HALF) / SIDE - i))
        along_y = ng.sin(np.pi * ((ng.y + HALF) / SIDE - j))
        (c00, c01), (c10, c11) = c[i, j]
        sources[f"{i} {j}"] = c00 + c01 * along_y + c10 * along_x + c11 * along_x * along_y
    constants = {f"{i} {j}": a[i, j] for i, j in product(range(BLOCKS), repeat=2)}
    return mesh.MaterialCF(constants), mesh.BoundaryCF(constants, default=0), mesh.MaterialCF(sources)


def solve(size: float, layers: int, degree: int, a: np.ndarray, c: np.ndarray, facts: dict[str, object]) -> np.ndarray:
    """u at the points; how well outflow and source balance is noted among the facts."""
    import ngsolve as ng

    mesh = mesh_of(size, layers)
    inner, outer, f = fields(mesh, a, c)
    space = ng.H1(mesh, order=degree)
    u, v = space.TnT()
    energy = inner * ng.grad(u) * ng.grad(v) * ng.dx + outer * u * v * ng.ds
    form = ng.BilinearForm(energy, condense=True).Assemble()
    load = ng.LinearForm(f * v * ng.dx(bonus_intorder=8)).Assemble()
    found = ng.GridFunction(space)
    ng.solvers.BVP(bf=form, lf=load, gf=found, inverse="sparsecholesky")
    given = ng.Integrate(f, mesh, order=20)
    facts["outflow to source, less 1"] = ng.Integrate(outer * found, mesh, ng.BND, order=20) / given - 1
    return found(mesh(*POINTS)).ravel()


def inside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Far enough from the lines between blocks, so that rounding puts no point into another one."""
    return np.all([np.abs((c + HALF) / SIDE - np.round((c + HALF) / SIDE)) > 1e-4 for c in (x, y)], axis=0)


def own_or(folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Our coefficients, or those in the folder, without the terms that the benchmark's program multiplies by zero."""
    if not folder:
        return A.numpy(), C.numpy()
    data = np.load(folder / "poisson_coefficients.npz")
    used = np.array([[1.0, 0.0], [0.0, 1.0]])
    return data["a"], data["f"] * used


POINTS = scattered([(-HALF, HALF)] * 2, inside, 3000)

if __name__ == "__main__":
    chosen = options(data="folder with the benchmark's coefficients", file="where the reference for them goes")
    if chosen.data and not (chosen.file and not chosen.record):
        raise SystemExit("With --data, say where its reference goes by --file, and leave out --record.")
    a, c = own_or(chosen.data)
    facts: dict[str, object] = {"exponents at the corners": sorted(round(e, 4) for e in exponents(a))}
    refinements = (
        {"size": 2.0, "layers": 7, "degree": 8},
        {"size": 2.0, "layers": 9, "degree": 10},
        {"size": 1.5, "layers": 11, "degree": 12},
    )
    method = "triangles of degree p with geometric layers at the corners of blocks (hp-FEM by ngsolve)"
    row = Row("poisson_blocks", method, POINTS, partial(solve, a=a, c=c, facts=facts), refinements, 1e-6, None, facts)
    make(row, chosen.record, chosen.file)
