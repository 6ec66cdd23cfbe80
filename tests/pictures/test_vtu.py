"""Files for ParaView: what meshio reads back is the solution at the points of a mesh that fills the domain."""

from __future__ import annotations

import re
import sys
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_scenes import ANNULUS, NOTCH, SQUARE, problem_on, write_reference

from mask_pinns import Ball, Box, Problem
from mask_pinns.domains import Domain
from mask_pinns.pictures.vtu import require_vtu, write_vtu

BALL = Ball(x=0.0, y=0.0, z=0.0, radius=1.0)
CUBE = Box(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 2.0))


@pytest.fixture
def meshio() -> Any:
    return pytest.importorskip("meshio")


def predicted(x: torch.Tensor) -> np.ndarray:
    """Not the solution: 2 x."""
    return 2.0 * x[:, :1].float().numpy()


def written(meshio: Any, problem: Problem, folder: Path) -> Any:
    path = write_vtu(problem, predicted, folder)
    assert path == folder / "prediction.vtu"
    return meshio.read(path)


def measure(mesh: Any, kind: str) -> float:
    """The area of all triangles, or the volume of all hexahedra, which have parallel sides."""
    corners = mesh.points[mesh.cells_dict[kind]]
    a, b = (corners[:, i] - corners[:, 0] for i in (1, 2 if kind == "triangle" else 3))
    if kind == "triangle":
        return float(np.linalg.norm(np.cross(a, b), axis=1).sum() / 2)
    return float((np.cross(a, b) * (corners[:, 4] - corners[:, 0])).sum())


@pytest.mark.parametrize(
    ("shape", "kind", "size", "accuracy"),
    [
        (SQUARE, "triangle", 4.0, 1e-6),
        (SQUARE - NOTCH, "triangle", 3.0, 1e-3),
        (ANNULUS, "triangle", 0.84 * pi, 1e-3),
        (CUBE, "hexahedron", 2.0, 1e-6),
        (BALL, "hexahedron", 4 / 3 * pi, 0.15),
    ],
    ids=["square", "L", "annulus", "box", "ball"],
)
def test_the_mesh_fills_the_domain(
    meshio: Any, tmp_path: Path, shape: Domain, kind: str, size: float, accuracy: float
) -> None:
    mesh = written(meshio, problem_on(shape), tmp_path)
    assert measure(mesh, kind) == pytest.approx(size, rel=accuracy) and measure(mesh, kind) < size * (1 + 1e-9)
    x = mesh.points[:, 0]
    np.testing.assert_allclose(mesh.point_data["u"], 2 * x, atol=1e-6)
    np.testing.assert_array_equal(mesh.point_data["u_reference"], x)
    np.testing.assert_allclose(mesh.point_data["u_error"], x, atol=1e-6)
    assert len(shape) == 3 or not mesh.points[:, 2].any()


def test_a_solid_has_its_surface(meshio: Any, tmp_path: Path) -> None:
    mesh = written(meshio, problem_on(BALL, known=False), tmp_path)
    away = np.linalg.norm(mesh.points[mesh.cells_dict["quad"]], axis=-1)
    assert np.abs(away - 1).max() < 0.02 and set(mesh.point_data) == {"u"}
    assert {block.type for block in mesh.cells} <= {"hexahedron", "quad", "vertex"}


@pytest.mark.parametrize("shape", [SQUARE - NOTCH, BALL], ids=["L", "ball"])
def test_every_time_has_a_file(meshio: Any, tmp_path: Path, shape: Domain) -> None:
    problem = problem_on(shape & Box(t=(1.0, 3.0)))
    path = write_vtu(problem, predicted, tmp_path)
    found = re.findall(r'timestep="(.*?)" file="(.*?)"', path.read_text())
    assert path.name == "prediction.pvd" and [float(t) for t, _ in found] == pytest.approx(np.linspace(1, 3, 11))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prediction.pvd", *(name for _, name in found)]
    for t, name in (found[0], found[-1]):
        mesh = meshio.read(tmp_path / name)
        np.testing.assert_allclose(mesh.point_data["u_reference"], mesh.points[:, 0] + 2 * float(t))


@pytest.mark.parametrize("times", [None, np.linspace(0.0, 1.0, 21)], ids=["steady", "over time"])
@pytest.mark.parametrize("shape", [SQUARE - NOTCH, BALL], ids=["L", "ball"])
def test_a_scattered_reference_gives_the_points(meshio: Any, tmp_path: Path, shape: Domain, times: Any) -> None:
    shape = shape if times is None else shape & Box(t=(0.0, 1.0))
    write_reference(tmp_path / "r.npz", shape, times)
    problem = problem_on(shape, known=False, reference=str(tmp_path / "r.npz"))
    path = write_vtu(problem, predicted, tmp_path)
    if times is not None:
        names = re.findall(r'file="(.*?)"', path.read_text())
        assert len(names) == 11
        path = tmp_path / names[5]
    mesh = meshio.read(path)
    assert len(mesh.points) == len(np.load(tmp_path / "r.npz")["x"])
    time = 0.0 if times is None else 0.5
    np.testing.assert_allclose(mesh.point_data["u_reference"], mesh.points[:, 0] + 2 * time)
    assert {block.type for block in mesh.cells} <= {"triangle", "vertex"}


def test_a_box_with_a_reference_on_a_grid_has_its_cells(meshio: Any, tmp_path: Path) -> None:
    axes = {name: np.linspace(*CUBE[name], n) for name, n in (("x", 4), ("y", 5), ("z", 6))}
    np.savez(tmp_path / "r.npz", **axes, u=np.meshgrid(*axes.values(), indexing="ij")[0])
    mesh = written(meshio, problem_on(CUBE, known=False, reference=str(tmp_path / "r.npz")), tmp_path)
    assert len(mesh.points) == 120 and measure(mesh, "hexahedron") == pytest.approx(2.0)
    np.testing.assert_array_equal(mesh.point_data["u_reference"], mesh.points[:, 0])


def test_pyvista_opens_it(tmp_path: Path) -> None:
    """It reads by VTK itself, as ParaView does, and not by what wrote the file."""
    pyvista = pytest.importorskip("pyvista")
    pytest.importorskip("meshio")
    mesh = pyvista.read(write_vtu(problem_on(SQUARE - NOTCH), predicted, tmp_path, stem="solution"))
    assert set(mesh.point_data) == {"u", "u_reference", "u_error"}
    np.testing.assert_allclose(mesh.point_data["u"], 2 * mesh.points[:, 0], atol=1e-6)
    assert mesh.compute_cell_sizes()["Area"].sum() == pytest.approx(3.0, rel=1e-3)


def test_predict_writes_it_beside_the_table(meshio: Any, command: Any, tmp_path: Path) -> None:
    flags = ["--problem", "pipes", "--steps", "1", "--name", "a"]
    assert command(*flags)[0] == 0
    run = tmp_path / "runs/a"
    assert command("predict", "--ckpt_path", str(run), tiny=False)[0] == 0
    assert not list(run.glob("*.vtu"))
    code, out, err = command("predict", "--ckpt_path", str(run), "--vtu", tiny=False)
    assert (code, err) == (0, "") and f"{run}/prediction.vtu" in out
    assert (
        set(meshio.read(run / "prediction.vtu").point_data) == {"u", "u_reference", "u_error"}
        and (run / "prediction.npz").is_file()
    )


@pytest.mark.parametrize("shape", [Box(x=(0.0, 1.0), t=(0.0, 1.0)), Ball(x=0.0, y=0.0, z=0.0, w=0.0, radius=1.0)])
def test_other_numbers_of_coordinates_are_refused(shape: Domain) -> None:
    with pytest.raises(ValueError, match="--vtu needs two or three coordinates in space; the problem has x, "):
        require_vtu(shape)


def test_without_meshio_one_line_says_what_to_install(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("--problem", "pipes", "--steps", "1", "--name", "a")[0] == 0
    monkeypatch.setitem(sys.modules, "meshio", None)
    code, _, err = command("predict", "--ckpt_path", "last", "--vtu", tiny=False)
    assert (code, err.count("\n")) == (2, 1) and 'pip install "mask-pinns[shapes]"' in err
