"""Shapes of other libraries: outlines of shapely, meshes of trimesh, against these libraries and exact values."""

from __future__ import annotations

import copy
import importlib
import math
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from geometry import RANDOM, around, contains, distance, drawn, gradient, normals, sampler, within

from mask_pinns.domains import Ball, Box, Mesh, Points, outline

shapely = pytest.importorskip("shapely")
trimesh = pytest.importorskip("trimesh")
pytest.importorskip("rtree")
MultiPolygon, Point, Polygon = shapely.MultiPolygon, shapely.Point, shapely.Polygon

WASHER = Point(0, 0).buffer(1.0, quad_segs=16) - Point(0.3, 0.1).buffer(0.4, quad_segs=16)
HOUSE = Polygon(
    [(0, 0), (4, 0), (4, 3), (2, 5), (0, 3)], holes=[[(1, 1), (2, 1), (2, 2)], [(2.5, 2), (3, 2), (3, 3.5)]]
)
OUTLINES = {
    "washer": WASHER,
    "house": HOUSE,
    "islands": MultiPolygon([HOUSE, Polygon([(5, 0), (6, 0), (5.5, 2)])]),
    "island_in_a_lake": Point(0, 0).buffer(2, quad_segs=8) - Point(0, 0).buffer(1.5) | Point(0, 0).buffer(0.5),
    "two_touch": MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)]),
    "comb": shapely.union_all([shapely.box(0, 0, 5, 0.5), *(shapely.box(i, 0, i + 0.4, 2) for i in range(5))]),
}


def turned(mesh: Any, angle: float = 0.4) -> Any:
    """So that no triangle lies along a coordinate."""
    mesh.apply_transform(trimesh.transformations.rotation_matrix(angle, [1, 2, 3]))
    return mesh


MESHES = {
    "ball": lambda: trimesh.creation.icosphere(subdivisions=2),
    "box": lambda: trimesh.creation.box((1, 2, 3)),
    "turned_box": lambda: turned(trimesh.creation.box((1, 2, 3))),
    "torus": lambda: trimesh.creation.torus(1.0, 0.35, major_sections=24, minor_sections=12),
    "turned_torus": lambda: turned(trimesh.creation.torus(1.0, 0.35, major_sections=24, minor_sections=12)),
    "pipe": lambda: trimesh.creation.annulus(0.5, 1.0, 1.5, sections=24),
    "inside_out": lambda: inverted(),
    "two_bodies": lambda: trimesh.util.concatenate(
        [trimesh.creation.box((1, 1, 1)), trimesh.creation.icosphere(subdivisions=1).apply_translation((3, 0, 0))]
    ),
}


def inverted() -> Any:
    mesh = trimesh.creation.icosphere(subdivisions=1)
    mesh.invert()
    assert mesh.volume < 0
    return mesh


@pytest.fixture(scope="module", params=OUTLINES)
def polygon(request: pytest.FixtureRequest) -> Any:
    return OUTLINES[request.param]


@pytest.fixture(scope="module", params=MESHES)
def mesh(request: pytest.FixtureRequest) -> Any:
    return MESHES[request.param]()


def test_outlines_agree_with_shapely(polygon: Any) -> None:
    domain = outline(polygon)
    domain.check()
    x = around(domain, 4000)
    x = x[shapely.distance(polygon.boundary, shapely.points(x)) > 1e-9]
    inside = shapely.contains_xy(polygon, *x.T)
    assert np.array_equal(contains(domain, x), inside)
    d = distance(domain, x)
    assert np.isfinite(d).all() and np.array_equal(d > 0, inside)
    box = np.ptp(np.array(polygon.bounds).reshape(2, 2), axis=0).prod()
    assert domain.measure == pytest.approx(polygon.area, abs=1e-3 * box)
    assert domain.boundary().pieces[0].measure == pytest.approx(polygon.length, rel=1e-2)
    assert domain.low == pytest.approx(polygon.bounds[:2]) and domain.high == pytest.approx(polygon.bounds[2:])


@pytest.mark.parametrize("name", RANDOM)
def test_points_of_outlines(polygon: Any, name: str) -> None:
    domain = outline(polygon)
    place = domain.boundary()
    x = drawn(place, 3000, name)
    n = normals(place, x, domain.names)
    ratio, centre = polygon.area / polygon.length, np.array(polygon.centroid.coords[0])
    assert shapely.distance(polygon.boundary, shapely.points(x)).max() < 1e-12
    assert np.abs(distance(domain, x)).max() < 1e-12 and len(np.unique(x, axis=0)) == 3000
    assert shapely.contains_xy(polygon, *(x + 1e-7 * n).T).mean() < 1e-3
    assert within(n, 0.0) and within(x * n, ratio) and within(x**2 * n, 2 * centre * ratio)
    inside = drawn(domain.section({}), 1000, name)
    assert shapely.contains_xy(polygon.buffer(1e-9), *inside.T).all() and within(inside, centre)


def test_an_outline_as_a_hole_and_in_other_coordinates() -> None:
    domain = Box(x=(-2, 2), z=(-2, 2)) - outline(WASHER, "xz")
    domain.check()
    assert domain.names == ("x", "z") and domain.measure == pytest.approx(16 - WASHER.area, rel=1e-3)
    x = drawn(domain.boundary(outline(WASHER, "xz")), 1000)
    assert shapely.distance(WASHER.boundary, shapely.points(x)).max() < 1e-12
    assert (contains(domain, np.array([[0.3, 0.1], [0.0, -0.6]])) == [True, False]).all()


def test_outlines_of_many_corners_take_no_time() -> None:
    start = time.process_time()
    domain = Box(x=(-2, 2), y=(-2, 2)) - outline(Point(0, 0).buffer(1.0, quad_segs=500))
    domain.check()
    x = drawn(domain.boundary(), 1000)
    assert np.abs(distance(domain, x[:10])).max() < 1e-12 and len(drawn(domain.section({}), 1000)) == 1000
    assert time.process_time() - start < 10  # it took minutes


def test_meshes_agree_with_trimesh(mesh: Any) -> None:
    domain = Mesh(mesh)
    domain.check()
    assert domain.measure == pytest.approx(abs(mesh.volume), rel=1e-9)
    assert domain.boundary().pieces[0].measure == pytest.approx(mesh.area, rel=1e-9)
    x = around(domain, 150, margin=0.1)
    away = trimesh.proximity.closest_point(mesh, x)[1]
    np.testing.assert_allclose(np.abs(distance(domain, x)), away, atol=1e-7)
    inside = winding(mesh, x[away > 1e-4])
    assert np.array_equal(contains(domain, x[away > 1e-4]), inside)
    assert np.array_equal(distance(domain, x[away > 1e-4]) > 0, inside)
    y = around(domain, 20_000, seed=4, margin=0.0)
    assert within(contains(domain, y), domain.measure / np.prod(np.subtract(domain.high, domain.low)), 3.0)


def winding(mesh: Any, x: np.ndarray) -> np.ndarray:
    """Whether the triangles fill the sphere around a point, by their solid angles (Van Oosterom & Strackee 1983)."""
    a, b, c = (np.asarray(mesh.triangles)[None, :, i] - x[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    det = (a * np.cross(b, c)).sum(2)
    rest = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (a * c).sum(2) * lb
    return np.abs(2 * np.arctan2(det, rest).sum(1)) > 2 * np.pi


@pytest.mark.parametrize("name", RANDOM)
def test_points_of_meshes(mesh: Any, name: str) -> None:
    domain = Mesh(mesh)
    place = domain.boundary()
    x = drawn(place, 1000, name)
    n = normals(place, x, domain.names)
    assert np.abs(distance(domain, x)).max() < 1e-12 and len(np.unique(x, axis=0)) == 1000
    assert place.pieces[0].share > 0.999
    assert not contains(domain, x + 1e-7 * n).any() and contains(domain, x - 1e-7 * n).all()
    ratio, inside = domain.measure / mesh.area, drawn(domain.section({}), 1000, name)
    assert contains(domain, inside).all() and within(inside, np.asarray(mesh.center_mass))
    assert within(n, 0.0) and within(x * n, ratio) and within(x**2 * n, 2 * mesh.center_mass * ratio)


def test_normals_and_slopes_of_meshes(mesh: Any) -> None:
    domain = Mesh(mesh)
    x = drawn(domain.boundary(), 200)
    n = normals(domain.boundary(), x, domain.names)
    triangle = trimesh.proximity.closest_point(mesh, x)[2]
    sign = np.sign(mesh.volume)
    away_from_edges = trimesh.triangles.points_to_barycentric(mesh.triangles[triangle], x).min(1) > 0.15
    assert away_from_edges.sum() > 15
    np.testing.assert_allclose(n[away_from_edges], sign * mesh.face_normals[triangle][away_from_edges], atol=1e-9)
    slopes = gradient(lambda p: distance(domain, p), x[away_from_edges], 2e-4)
    np.testing.assert_allclose(slopes, -n[away_from_edges], atol=1e-8)


@pytest.mark.parametrize(("offset", "unit"), [(1e6, 1.0), (0.0, 1e-9), (0.0, 1e9)])
def test_meshes_of_any_size(offset: float, unit: float) -> None:
    """The tolerances of trimesh are lengths: 1e-8, and 1e-6 for rays."""
    sphere = trimesh.creation.icosphere(subdivisions=1)
    domain = Mesh(sphere.copy().apply_translation([offset] * 3), scale=unit)
    assert domain.measure == pytest.approx(sphere.volume * unit**3, rel=1e-7)
    place = domain.boundary()
    x = drawn(place, 200)
    assert place.pieces[0].share > 0.999
    assert np.abs(distance(domain, x)).max() < 1e-12 * unit + 1e-15 * offset
    assert not contains(domain, x + 1e-4 * unit * normals(place, x, domain.names)).any()


def test_meshes_in_combinations_and_other_coordinates() -> None:
    sphere = Mesh(trimesh.creation.icosphere(subdivisions=3), scale=0.5)
    domain = (Box(x=(-1, 1), y=(-1, 1), z=(-1, 0)) - sphere) & Box(t=(0, 2))
    domain.check()
    assert domain.measure == pytest.approx(2 * (4 - sphere.measure / 2), rel=3e-3)
    place = domain.boundary(sphere)
    x = place.draw(1000, sampler("sobol", dtype=torch.float32))
    assert x.shape == (1000, 4) and x[:, 2].max() <= 0 and (x[:, :3].norm(dim=1) - 0.5).abs().max() < 0.01
    n = place.at(x, domain.names).normal.tensor
    assert ((n[:, :3] * x[:, :3]).sum(1) < -0.49).all() and (n[:, 3] == 0).all()
    assert Mesh(trimesh.creation.box(), "abc").names == ("a", "b", "c")
    both = sphere | Ball(x=1.0, y=0, z=0, radius=0.2)
    assert contains(both, np.array([[1.1, 0, 0], [0, 0, 0.4], [0, 0.6, 0]])).tolist() == [True, True, False]


def test_meshes_from_files_and_copies(tmp_path: Path) -> None:
    made = trimesh.creation.box((1, 2, 3))
    for kind in ("stl", "obj", "ply"):
        made.export(tmp_path / f"part.{kind}")
        domain = Mesh(str(tmp_path / f"part.{kind}"), scale=0.001)
        assert domain.measure == pytest.approx(6e-9) and f"part.{kind}" in repr(domain)
    distance(domain, np.zeros((1, 3)))
    for copied in (copy.deepcopy(domain), pickle.loads(pickle.dumps(domain))):
        assert np.array_equal(drawn(copied.boundary(), 20), drawn(domain.boundary(), 20))
    assert made.volume == pytest.approx(6.0)  # the user's mesh is left as it is


def test_nonsense_is_answered_by_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = trimesh.creation.box()
    (tmp_path / "empty.stl").write_bytes(b"")
    (tmp_path / "text.obj").write_text("nothing\n")
    opened = trimesh.Trimesh(box.vertices, box.faces[:-1])
    bow = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    for make, message in (
        (lambda: Mesh(opened), "is not closed"), (lambda: Mesh("none.stl"), "no such file"),
        (lambda: Mesh(tmp_path), "no such file"), (lambda: Mesh(str(tmp_path / "empty.stl")), "Mesh("),
        (lambda: Mesh(tmp_path / "text.obj"), "Mesh("), (lambda: Mesh(5), "Mesh of a int"),
        (lambda: Mesh(trimesh.Scene([box])), "Mesh of a Scene"), (lambda: Mesh(box, scale=0), "above 0"),
        (lambda: Mesh(box, "xyt"), "mentions t"), (lambda: Mesh(box, "xy"), "3 letters"),
        (lambda: Mesh(box, "xxy"), "3 letters"), (lambda: Mesh(box, 5), "3 letters"),
        (lambda: outline(bow), "Self-intersection"), (lambda: outline(Polygon()), "is empty"),
        (lambda: outline(Point(0, 0)), "of a Point"), (lambda: outline("xy"), "of a str"),
        (lambda: outline(HOUSE, "xyz"), "2 letters"), (lambda: outline(HOUSE, "xx"), "2 letters"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"\w+") as caught:
            make()
        assert message in str(caught.value) and "\n" not in str(caught.value), str(caught.value)

    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    for make in (lambda: Mesh(box), lambda: outline(HOUSE)):
        with pytest.raises(ValueError, match=r'pip install "mask-pinns\[shapes\]"'):
            make()
    assert math.isfinite(Points(torch.zeros(1, 2), ("x", "y")).x.item())
