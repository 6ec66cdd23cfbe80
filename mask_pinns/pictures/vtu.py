"""Files of a solution for ParaView and other programs that read VTK: by meshio, which is optional.

Two coordinates in space: the triangles of the picture. Three: hexahedra of a grid whose corners all lie in the domain,
and, unless the domain is a box, squares on its surface, which their steps do not reach. Where true values are known
only at the points of a reference, these are the points: in triangles, hexahedra of its grid, or one by one.

Legend: M points, D coordinates, F fields, G times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import torch
from torch import Tensor

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.domains import Box, Domain
from mask_pinns.domains.shapes.meshes import library
from mask_pinns.pictures.planes import section, triangles, triangulated
from mask_pinns.pictures.surfaces import contained, grid, hexahedra, lifted, surface
from mask_pinns.problems import Evaluation, Problem
from mask_pinns.problems.derived.determinacy import without_levels

TIMES = 11
"""Largest number of times that are written."""
INTERVALS = 40
"""Number of hexahedra along the longest side of a solid."""

Cells = list[tuple[str, np.ndarray]]
"""Kinds of cells by meshio's names, each with the points of its cells as indices."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Points (M, K) in space, cells between them, and the times."""

    domain: Domain
    places: Tensor
    cells: Cells
    times: Sequence[float]

    def points(self) -> Tensor:
        """All points (G M, D), time after time; (M, D) without time."""
        if not self.times:
            return lifted(self.domain, self.places, None)
        return torch.cat([lifted(self.domain, self.places, t) for t in self.times])

    def split(self, values: Tensor) -> Sequence[Tensor]:
        """Values (G M, F) of each time."""
        return values.split(len(self.places))


def require_vtu(domain: Domain, what: str = "--vtu") -> None:
    """Raises ValueError if files of this domain cannot be written: by its coordinates, or because meshio is missing.

    what: what asks for them, for the message.
    """
    k = len([name for name in domain.names if name != "t"])
    if k not in (2, 3):
        raise ValueError(f"{what} needs two or three coordinates in space; the problem has {', '.join(domain.names)}")
    library("meshio", what)


def write_vtu(
    problem: Problem,
    predict: Callable[[Tensor], np.ndarray],
    folder: Path,
    further: Callable[[Tensor], Mapping[str, np.ndarray]] = lambda x: {},
    stem: str = "prediction",
) -> Path:
    """Writes prediction.vtu, with time prediction_00.vtu, ... and prediction.pvd, which opens them all (stem: another
    name). Returns the one to open.

    Each field is there as `u`, and where the true values are known as `u_reference` and `u_error`, predicted minus
    true; a field that the problem determines up to a constant is compared at the level of the true values. `further`
    gives columns beside these, each (M,).
    """
    mesh, true = _mesh(problem, problem.evaluation())
    points = mesh.points()
    predicted = torch.as_tensor(predict(points)).double()
    data = _columns(problem, points, predicted, true)
    data |= {name: torch.from_numpy(column).double() for name, column in further(points).items()}
    tables = [dict(zip(data, parts, strict=True)) for parts in zip(*map(mesh.split, data.values()), strict=True)]
    if not mesh.times:
        _write(folder / f"{stem}.vtu", mesh, tables[0])
        return folder / f"{stem}.vtu"
    names = [f"{stem}_{i:02d}.vtu" for i in range(len(mesh.times))]
    for name, table in zip(names, tables, strict=True):
        _write(folder / name, mesh, table)
    with whole_file(folder / f"{stem}.pvd") as file:
        file.write(_collection(mesh.times, names))
    return folder / f"{stem}.pvd"


def _columns(problem: Problem, points: Tensor, predicted: Tensor, true: Tensor | None) -> dict[str, Tensor]:
    """The fields, their true values and errors by name, each (G M,)."""
    columns = {name: predicted[:, f] for f, name in enumerate(problem.fields)}
    if true is None:
        return columns
    errors = without_levels(problem, points, predicted, true) - true
    for f, name in enumerate(problem.fields):
        if not true[:, f].isnan().all():
            columns |= {f"{name}_reference": true[:, f], f"{name}_error": errors[:, f]}
    return columns


def _mesh(problem: Problem, evaluation: Evaluation) -> tuple[Mesh, Tensor | None]:
    """The mesh, and the true values (G M, F) at its points."""
    domain = problem.domain
    if problem.reference is not None and evaluation.values is not None:
        return _of_reference(domain, evaluation, evaluation.values)
    places, cells = _plane(domain) if len(domain.spatial) == 2 else _solid(domain)
    low, high = domain["t"] if "t" in domain.names else (0.0, 0.0)
    times = torch.linspace(low, high, TIMES, dtype=torch.float64).tolist() if high > low else []
    mesh = Mesh(domain, places, cells, times)
    return mesh, problem.solution(mesh.points())


def _plane(domain: Domain) -> tuple[Tensor, Cells]:
    places, found = triangulated(section(domain, (domain.spatial[0], domain.spatial[1])))
    return places, [("triangle", found)]


def _solid(domain: Domain) -> tuple[Tensor, Cells]:
    x = grid(domain, INTERVALS)
    inside = contained(domain, x)
    places, cells = x[inside], _with_loose([("hexahedron", hexahedra(inside))], int(inside.sum()))
    if isinstance(domain, Box):
        return places, cells
    outer, squares = surface(domain)
    return torch.cat([places, outer]), [*cells, ("quad", squares + len(places))]


def _of_reference(domain: Domain, evaluation: Evaluation, values: Tensor) -> tuple[Mesh, Tensor]:
    """The points of a reference and its values, at some of its times."""
    time = domain.time(evaluation.points)
    rows, times = [torch.arange(len(values))], []
    if time is not None:
        known = time.unique()
        chosen = known[torch.linspace(0, len(known) - 1, min(TIMES, len(known))).round().long()]
        rows, times = [(time == t).nonzero()[:, 0] for t in chosen], chosen.tolist()
    places = evaluation.points[rows[0]][:, [domain.names.index(name) for name in domain.spatial]]
    cells: Cells = []
    if len(domain.spatial) == 2:
        cells = [("triangle", triangles(section(domain, (domain.spatial[0], domain.spatial[1])), places))]
    elif evaluation.axes:
        shape = [len(axis) for name, axis in evaluation.axes.items() if name != "t"]
        cells = [("hexahedron", hexahedra(torch.ones(shape, dtype=torch.bool)))]
    return Mesh(domain, places, _with_loose(cells, len(places)), times), values[torch.cat(rows)]


def _with_loose(cells: Cells, count: int) -> Cells:
    """Cells, and points by themselves that belong to none."""
    loose = np.setdiff1d(np.arange(count), np.concatenate([np.empty(0, dtype=int), *(c.ravel() for _, c in cells)]))
    return [(kind, found) for kind, found in [*cells, ("vertex", loose[:, None])] if len(found)]


def _write(path: Path, mesh: Mesh, table: dict[str, Tensor]) -> None:
    """Writes one file; meshio takes a path only, so that it writes into a folder of its own first."""
    meshio: Any = library("meshio", "--vtu")
    places = np.zeros((len(mesh.places), 3))
    places[:, : mesh.places.shape[1]] = mesh.places.numpy()
    content = meshio.Mesh(places, mesh.cells, {name: column.numpy().copy() for name, column in table.items()})
    with TemporaryDirectory() as own, whole_file(path, "wb") as file:
        content.write(Path(own) / path.name)
        file.write((Path(own) / path.name).read_bytes())


def _collection(times: Sequence[float], names: Sequence[str]) -> str:
    """The text of a file that gives each file its time."""
    lines = [f'    <DataSet timestep="{t!r}" file={quoteattr(name)}/>' for t, name in zip(times, names, strict=True)]
    return "\n".join(
        ['<?xml version="1.0"?>', '<VTKFile type="Collection" version="0.1">', "  <Collection>", *lines,
         "  </Collection>", "</VTKFile>", ""]
    )  # fmt: skip
