"""Places of problems with shapes: their points in training, what conditions select, and what is refused."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from geometry import RANDOM, contains, distance, drawn, normals, sampler
from helpers import QUIET

from mask_pinns import MaskPINN, Problem
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.datamodules.points import VALIDATION_STEP
from mask_pinns.domains import Ball, Box, Disk, Domain, Ellipse, HalfPlane, Points, Polygon, union
from mask_pinns.problems import Condition, Dirichlet, Initial, Neumann, Periodic, Pin, Robin

SQUARE = Box(x=(0, 1), y=(0, 1))
TIME = Box(t=(0, 2))


class Plate(Problem):
    """Heat in a square with two holes, one of them round and one at the wall; each kind of condition."""

    square = Box(x=(0, 1), y=(0, 1))
    hole = Disk(x=0.4, y=0.6, radius=0.2)
    notch = Box(x=(0.8, 1.0), y=(0.0, 0.3))
    domain = ((square - hole) - notch) & Box(t=(0, 2))
    derivatives = ("t", "xx", "yy")
    conditions = (
        Initial(u=0.0),
        Dirichlet(square, u=1.0),
        Neumann(hole, u=0.0),
        Robin(notch, a=2.0, u=lambda p: p.normal.x),
        Dirichlet(square, lambda p: p.y > 0.9, u=0.0, name="top"),
        Condition("spot", residual=lambda p, u: u - 1, within=Disk(x=0.4, y=0.6, radius=0.3)),
    )

    def residual(self, p, u):
        return u.t - u.xx - u.yy - torch.exp(-((p.x - 0.1) ** 2 + (p.y - 0.1) ** 2) / 0.005) * 100


@pytest.fixture(scope="module")
def plate() -> Plate:
    return Plate()


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_of_each_term(plate: Plate, name: str, dtype: torch.dtype) -> None:
    data = PointsDataModule(plate, points={"pde": 500, "initial": 200, "top": 33}, sampler=name)
    drawn = data.draw(3, dtype=dtype)
    assert {name: len(x) for name, x in drawn.items()} == {
        "pde": 500, "initial": 200, "dirichlet_square": 50, "neumann_hole": 50, "robin_notch": 50, "top": 33,
        "spot": 50,
    }  # fmt: skip
    slack = 1e-12 if dtype == torch.float64 else 3e-7
    assert all(x.dtype == dtype and x.shape[1] == 3 and x.isfinite().all() for x in drawn.values())
    far = {name: plate.domain.distance(Points(x.double(), plate.domain.names)) for name, x in drawn.items()}
    assert all(d.min() > -slack for d in far.values())
    on = ("dirichlet_square", "neumann_hole", "robin_notch", "top")
    assert all(far[name].abs().max() <= slack for name in on) and far["pde"].max() > 0.05
    x = {name: t.double().numpy() for name, t in drawn.items()}
    assert (x["initial"][:, 2] == 0).all() and np.ptp(x["pde"][:, 2]) > 1.8
    assert np.abs(np.hypot(x["neumann_hole"][:, 0] - 0.4, x["neumann_hole"][:, 1] - 0.6) - 0.2).max() <= slack
    assert (x["top"][:, 1] > 0.9).all()
    assert (np.hypot(x["spot"][:, 0] - 0.4, x["spot"][:, 1] - 0.6) <= 0.3 + slack).all()
    notch = x["robin_notch"]
    assert ((np.abs(notch[:, 0] - 0.8) <= slack) | (np.abs(notch[:, 1] - 0.3) <= slack)).all()


def test_ranks_and_steps_draw_different_points(plate: Plate) -> None:
    data = PointsDataModule(plate, points=100, seed=1)
    first, again = data.draw(7, 0, 2), PointsDataModule(Plate(), points=100, seed=1).draw(7, 0, 2)
    assert all(torch.equal(x, again[name]) for name, x in first.items())
    others = [data.draw(7, 1, 2), data.draw(8, 0, 2), data.draw(VALIDATION_STEP, 0, 2)]
    others.append(PointsDataModule(plate, points=100, seed=2).draw(7, 0, 2))
    for other in others:
        for name, x in first.items():
            both = torch.cat([x, other[name]])
            assert len(both.unique(dim=0)) == len(both), name
    assert len(first["pde"]) == 50


def test_adaptive_points_lie_inside() -> None:
    """They are chosen from a pool of the same place; here the residual is large in a corner."""
    seen: list[torch.Tensor] = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, *_):
            seen.append(batch["pde"].clone())

    torch.manual_seed(0)
    model = MaskPINN(Plate(), {"name": "masked", "width": 8, "blocks": 1}, "adam", lr=0.001)
    data = PointsDataModule(model.problem, points=100, adaptive=(2.0, 0.0))
    trainer = L.Trainer(max_steps=2, precision="64-true", limit_val_batches=0, enable_checkpointing=False,
                        callbacks=[Watch()], **QUIET)  # fmt: skip
    trainer.fit(model, data)
    domain = model.problem.domain
    for x in seen:
        assert x.shape == (100, 3) and domain.contains(Points(x, domain.names)).all()
        assert ((x[:, :2] - 0.1).norm(dim=1) < 0.2).double().mean() > 0.4  # of the whole, 0.1
    assert not torch.equal(seen[0], seen[1])


def test_normals_point_out_of_the_domain(plate: Plate) -> None:
    for term in plate.terms[2:6]:
        place = term.place(plate.domain)
        x = drawn(place, 500)
        n = normals(place, x, plate.domain.names)
        assert (n[:, 2] == 0).all() and np.allclose(np.linalg.norm(n, axis=1), 1)
        assert not contains(plate.domain, x + 1e-6 * n).any() and contains(plate.domain, x - 1e-6 * n).all()
        assert term.check(plate.domain, ("u",)) is None


def test_a_shape_that_bounds_from_both_sides() -> None:
    """The domain lies inside of one part of the disk's boundary and outside of another."""
    disk = Disk(x=0.5, y=0.5, radius=0.25)
    domain = (disk & HalfPlane(x=0.5, y=0.5, normal={"x": 1.0, "y": 0.0})) | (
        Box(x=(0.5, 1), y=(0, 1)) - Disk(x=0.5, y=0.5, radius=0.25)
    )
    place = domain.boundary(disk)
    x = drawn(place, 2000)
    n = normals(place, x, domain.names)
    outward = (n * (x - 0.5)).sum(1) > 0
    assert np.array_equal(outward, x[:, 0] < 0.5) and abs(outward.mean() - 0.5) < 4 * 0.5 / math.sqrt(2000)
    assert not contains(domain, x + 1e-6 * n).any() and contains(domain, x - 1e-6 * n).all()


def test_places_in_one_dimension() -> None:
    """Walls of an interval are single points, and as many as a ball has."""
    ball = Ball(x=0.5, radius=0.1)
    domain = Box(x=(0, 1)) - ball
    place = domain.boundary("x", ball)
    x = drawn(place, 10)
    n = normals(place, x, domain.names)
    assert x.shape == (30, 1) and set(x[:, 0].round(12)) == {0.0, 1.0, 0.4, 0.6}
    assert not contains(domain, x + 1e-6 * n).any() and contains(domain, x - 1e-6 * n).all()
    assert domain.boundary().pieces[0].measure == pytest.approx(4.0)
    assert drawn(domain.boundary("x"), 10).shape == (2, 1)


def test_pairs_of_points_on_walls() -> None:
    """Across y, both walls exist where no notch is: pairs are there alone."""
    domain = Box(x=(0, 2), y=(0, 1)) - Box(x=(0.5, 1.0), y=(0.0, 0.4)) - Disk(x=1.5, y=1.0, radius=0.2)
    low, high = drawn(Periodic("y").place(domain), 400).reshape(2, 400, 2)
    assert np.array_equal(low[:, 0], high[:, 0]) and (low[:, 1] == 0).all() and (high[:, 1] == 1).all()
    assert not ((low[:, 0] > 0.5) & (low[:, 0] < 1.0)).any() and (np.abs(low[:, 0] - 1.5) >= 0.2).all()


def test_small_holes_and_narrow_gaps() -> None:
    hole = Disk(x=0.5, y=0.5, radius=1e-4)
    domain = SQUARE - hole
    domain.check()
    x = drawn(domain.boundary(hole), 500)
    assert np.abs(np.hypot(*(x.T - 0.5)) - 1e-4).max() < 1e-15 and np.abs(distance(domain, x)).max() < 1e-15
    domain = SQUARE - Box(x=(1e-7, 0.5), y=(0.2, 0.8))
    assert domain.boundary().pieces[0].measure == pytest.approx(4 + 2.2, rel=1e-3)


def test_thin_shapes_and_single_precision() -> None:
    """The share of a thin ring is estimated by enough candidates; a step off a surface does not jump over a gap."""
    ring = Disk(x=0, y=0, radius=1) - Disk(x=0, y=0, radius=0.9995)
    assert ring.section({}).pieces[0].share == pytest.approx(math.pi * (1 - 0.9995**2) / 4, rel=0.2)
    r = np.hypot(*drawn(ring.section({}), 50).T)
    assert r.min() >= 0.9995 and r.max() <= 1
    domain = SQUARE - Box(x=(1e-4, 0.5), y=(0.2, 0.8))
    place = domain.boundary()
    x = place.draw(5000, sampler("sobol", dtype=torch.float32))
    n, gap = place.at(x, domain.names).normal.x, (x[:, 0] - 1e-4).abs() < 1e-6
    assert gap.sum() > 300 and (n[gap] == 1).all()


def test_copies_and_pickles(plate: Plate) -> None:
    domain = plate.domain
    domain.boundary(lambda p: p.x > 0.5).draw(5, lambda d, n: torch.rand(n, d).double())
    shapes = [domain, SQUARE, Ellipse(x=(0, 1), y=(0, 1)), Polygon(x=(0, 1, 0), y=(0, 0, 1)), Plate.hole | Plate.hole]
    for shape in shapes:
        for copied in (copy.deepcopy(shape), copy.copy(shape), pickle.loads(pickle.dumps(shape))):
            assert repr(copied) == repr(shape) and copied.label == shape.label
            assert np.array_equal(drawn(copied.boundary(), 50), drawn(shape.boundary(), 50))
    for copied in (copy.deepcopy(plate), pickle.loads(pickle.dumps(plate))):
        assert [t.name for t in copied.terms] == [t.name for t in plate.terms]
        points = [PointsDataModule(p, points=30).draw(2) for p in (plate, copied)]
        assert all(torch.equal(x, points[1][name]) for name, x in points[0].items())


def declared(domain: Any, *conditions: Any) -> Problem:
    body = {"domain": domain, "conditions": conditions, "derivatives": ("xx",), "residual": lambda self, p, u: u.xx}
    return type("Mine", (Problem,), body)()


DISK = Disk(x=0.5, y=0.5, radius=0.1)
HOLED = SQUARE - DISK
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "hole larger than the box": (lambda: declared(SQUARE - Disk(x=0.5, y=0.5, radius=2)), "is empty"),
    "hole outside of a part": (
        lambda: declared((SQUARE - Disk(x=5, y=5, radius=1)) | Box(x=(0, 6), y=(0, 6))), "lies outside of the rest",
    ),
    "hole outside": (lambda: declared(SQUARE - Disk(x=5, y=5, radius=1)), "lies outside of the rest"),
    "one of many holes outside": (lambda: declared(SQUARE - (DISK | Disk(x=5, y=5, radius=1))), "lies outside"),
    "apart": (lambda: declared(SQUARE & Disk(x=5, y=5, radius=1)), "is empty"),
    "apart within its bounds": (lambda: declared(Disk(x=0, y=0, radius=1) & Disk(x=1.5, y=1.5, radius=1)), "is empty"),
    "thinner than any point": (lambda: declared(SQUARE - Box(x=(1e-8, 2), y=(-1, 2))), "is empty, or less than one"),
    "disk in space": (lambda: Disk(x=0, y=0, z=0, radius=1), "two coordinates"),
    "ball without centre": (lambda: Ball(radius=1), "needs a centre"),
    "negative radius": (lambda: Disk(x=0, y=0, radius=-1), "radius is -1"),
    "radius no number": (lambda: Disk(x=0, y=0, radius="big"), "expected a number above 0"),
    "radius infinite": (lambda: Ball(x=0, radius=math.inf), "expected a number above 0"),
    "centre not finite": (lambda: Ball(x=math.nan, radius=1), "expected a finite number"),
    "long name": (lambda: Ball(xx=0, radius=1), "single letter"),
    "shape with t": (lambda: Ball(x=0, t=0, radius=1), "mentions t"),
    "polygon with t": (lambda: Polygon(x=(0, 1, 0), t=(0, 0, 1)), "mentions t"),
    "removed box with t": (lambda: (SQUARE & TIME) - Box(x=(0, 0.5), t=(0, 1)), "mentions t"),
    "flat ellipse": (lambda: Ellipse(x=(0, 0), y=(0, 1)), "expected a number above 0"),
    "ellipse in 3-D": (lambda: Ellipse(x=(0, 1), y=(0, 1), z=(0, 1)), "two coordinates"),
    "normal of zero length": (lambda: HalfPlane(x=0, normal={"x": 0.0}), "a point and a normal"),
    "normal elsewhere": (lambda: HalfPlane(x=0, normal={"y": 1.0}), "a point and a normal"),
    "normal no dict": (lambda: HalfPlane(x=0, normal=1.0), "normal is 1.0"),
    "normal with numbers": (lambda: HalfPlane(x=0, normal={1: 1.0}), "single letter"),
    "crossing polygon": (lambda: Polygon(x=(0, 2, 2, 0, 1), y=(0, 2, 0, 1.5, 3)), "two of its sides cross"),
    "touching polygon": (lambda: Polygon(x=(0, 2, 2, 1, 0), y=(0, 0, 2, 0, 2)), "two of its sides cross"),
    "polygon without area": (lambda: Polygon(x=(0, 1, 2), y=(0, 1, 2)), "area is zero"),
    "polygon with a repeated corner": (lambda: Polygon(x=(0, 0, 1, 1), y=(0, 0, 0, 1)), "are the same"),
    "polygon of unequal lists": (lambda: Polygon(x=(0, 1, 2), y=(0, 1)), "two coordinates"),
    "polygon of two corners": (lambda: Polygon(x=(0, 1), y=(0, 1)), "three or more"),
    "unbounded": (lambda: declared(HalfPlane(x=0, y=0, normal={"x": 1.0, "y": 0.0})), "has no end along x"),
    "unbounded to one side": (lambda: declared(Box(y=(0, 1)) & HalfPlane(x=0, y=0, normal={"x": 1, "y": 0})), "no end"),
    "strange coordinate": (lambda: declared(SQUARE - Disk(x=0, z=0, radius=0.1)), "no end along z"),
    "union of others": (lambda: SQUARE | Box(x=(0, 1), z=(0, 1)), "same coordinates"),
    "union at other times": (lambda: (SQUARE & TIME) | (SQUARE & Box(t=(0, 3))), "same time"),
    "union of nothing": (lambda: union(), "no shapes"),
    "union of numbers": (lambda: union([1, 2]), "1 is no shape"),
    "union of a number": (lambda: union(5), "5 is no shape"),
    "minus a number": (lambda: SQUARE - 1, "1 is no shape"),
    "and nothing": (lambda: SQUARE & None, "None is no shape"),
    "nowhere": (lambda: declared(HOLED, Dirichlet(Disk(x=0.5, y=0.5, radius=0.3), u=0)), "no part of Disk"),
    "condition elsewhere": (lambda: declared(HOLED, Dirichlet(Disk(x=0, z=0, radius=1), u=0)), "the coordinate z"),
    "covered wall": (lambda: declared(SQUARE - Box(x=(0.5, 2), y=(-1, 2)), Dirichlet("x", u=0)), "no part of x = 1"),
    "unknown wall": (lambda: declared(HOLED, Dirichlet("z", u=0)), "no coordinate 'z'"),
    "no booleans": (lambda: declared(HOLED, Dirichlet(DISK, lambda p: p.x, u=0)), "a truth value for each"),
    "one boolean": (lambda: declared(HOLED, Dirichlet(lambda p: True, u=0)), "gives bool"),
    "nothing selected": (lambda: declared(HOLED, Dirichlet(DISK, lambda p: p.x > 5, u=0)), "no part that the function"),
    "other coordinate": (lambda: declared(HOLED, Dirichlet(lambda p: p.q > 5, u=0)), "no such coordinate"),
    "function at the ends of t": (lambda: declared(HOLED & TIME, Dirichlet("t", lambda p: p.x > 0, u=0)), "in space"),
    "pin in the hole": (lambda: declared(HOLED, Pin(at={"x": 0.5, "y": 0.5}, u=0)), "no points at x = 0.5"),
    "same shape twice": (lambda: Dirichlet(DISK, DISK, u=0), "distinct"),
    "within a number": (lambda: Condition("c", residual=lambda p, u: u, within=1), "expected a shape"),
    "where and within": (lambda: Condition("c", residual=lambda p, u: u, within=DISK, where=DISK), "not several"),
    "within elsewhere": (
        lambda: declared(HOLED, Condition("c", residual=lambda p, u: u, within=Disk(x=7, y=7, radius=1))), "is empty"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_nonsense_is_answered_by_one_line(what: str) -> None:
    make, message = WRONG[what]
    with pytest.raises(ValueError, match=r"\w+") as caught:
        make()
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert isinstance(DISK, Domain)


def test_a_side_that_a_curve_only_touches_is_no_wall() -> None:
    with pytest.raises(ValueError, match="only touches x = -1: name its shape instead"):
        Disk(x=0.0, y=0.0, radius=1.0).boundary("x")


def test_surfaces_that_lie_inside_of_a_combined_shape_are_not_its_boundary() -> None:
    both = union(Disk(x=0.4, y=0.5, radius=0.2), Disk(x=0.6, y=0.5, radius=0.2))
    box = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    x = box.interface(both).draw(500, lambda d, n: torch.rand(n, d, dtype=torch.float64))
    assert both.distance(Points(x, box.names)).abs().max() < 1e-4
    half = HalfPlane(x=0.0, y=0.5, normal={"x": 0.0, "y": 1.0})
    left, right = Box(x=(0.0, 0.4), y=(0.0, 1.0)) & half, Box(x=(0.6, 1.0), y=(0.0, 1.0)) & half
    top = (box - left - right).boundary(left).draw(500, lambda d, n: torch.rand(n, d, dtype=torch.float64))
    assert top[:, 0].max() <= 0.4 + 1e-6


def test_a_lens_is_on_one_side() -> None:
    lens = Disk(x=0.4, y=0.5, radius=0.2) & Disk(x=0.6, y=0.5, radius=0.2)
    assert not (Box(x=(0.0, 1.0), y=(0.0, 1.0)) - lens).divides(lens)


def test_times_of_shapes_agree_with_those_of_the_domain() -> None:
    square = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    with pytest.raises(ValueError, match="has other times than the domain"):
        (square & Box(t=(0.0, 1.0))).boundary(square & Box(t=(0.0, 0.5)))
