"""References at scattered points, as another solver gives them: on boxes and on shapes, with and without time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mask_pinns import Box, Disk
from mask_pinns.domains import Domain
from mask_pinns.problems.evaluation_grid import Evaluation, load_reference

SQUARE = Box(x=(-1.0, 1.0), y=(-1.0, 1.0))
HOLE = Disk(x=0.0, y=0.0, radius=0.5)
DOMAINS = {"box": SQUARE, "shape": SQUARE - HOLE}
TIME = Box(t=(0.0, 2.0))

EITHER = pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
Arrays = dict[str, Any]


def around(n: int = 40, radius: float = 0.75) -> Arrays:
    """x and y on a circle, with u = x + y."""
    angle = np.linspace(0.0, 2 * np.pi, n, endpoint=False)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return {"x": x, "y": y, "u": x + y}


def over_time(n: int = 40) -> Arrays:
    """The same at seven times: u = x + y + t."""
    arrays, t = around(n), np.linspace(0.0, 2.0, 7)
    return arrays | {"t": t, "u": arrays["u"][:, None] + t}


def load(folder: Path, domain: Domain, arrays: Arrays, fields: tuple[str, ...] = ("u",)) -> Evaluation:
    np.savez(folder / "r.npz", **arrays)
    return load_reference(folder / "r.npz", domain, fields, "Mine")


@EITHER
def test_values_at_points(tmp_path: Path, domain: Domain) -> None:
    grid = load(tmp_path, domain, around())
    assert grid.axes == {} and grid.points.shape == (40, 2) and grid.values.shape == (40, 1)
    torch.testing.assert_close(grid.values[:, 0], grid.points.sum(1))


@EITHER
def test_values_at_points_and_times(tmp_path: Path, domain: Domain) -> None:
    grid = load(tmp_path, domain & TIME, over_time())
    assert grid.axes == {} and grid.points.shape == (280, 3) and grid.values.shape == (280, 1)
    torch.testing.assert_close(grid.values[:, 0], grid.points.sum(1))
    assert len(grid.points.unique(dim=0)) == 280


def test_the_order_of_the_domains_coordinates_counts(tmp_path: Path) -> None:
    domain = TIME & SQUARE
    assert domain.names == ("t", "x", "y")
    grid = load(tmp_path, domain, over_time())
    torch.testing.assert_close(grid.points[:, 0].unique(), torch.linspace(0, 2, 7).double())
    torch.testing.assert_close(grid.values[:, 0], grid.points.sum(1))


def test_a_field_that_is_not_known_is_nan(tmp_path: Path) -> None:
    grid = load(tmp_path, DOMAINS["shape"], around(), ("u", "v"))
    assert grid.values[:, 0].isfinite().all() and grid.values[:, 1].isnan().all()


def test_a_grid_over_a_shape_counts_in_the_shape_only(tmp_path: Path) -> None:
    x = np.linspace(-1.0, 1.0, 41)
    grid = load(tmp_path, DOMAINS["shape"], {"x": x, "y": x, "u": x[:, None] + 0 * x})
    assert grid.axes == {} and grid.points.norm(dim=1).min() > 0.4999 and 1300 < len(grid.points) < 1400
    torch.testing.assert_close(grid.values[:, 0], grid.points[:, 0])


def test_corners_of_a_mesh_lie_on_the_boundary_up_to_rounding(tmp_path: Path) -> None:
    """Half of them are outside, by 1e-7 in single precision."""
    arrays = {name: array.astype(np.float32) for name, array in around(radius=0.5).items()}
    assert len(load(tmp_path, DOMAINS["shape"], arrays).points) == 40


def changed(**arrays: Any) -> Arrays:
    return around() | arrays


NAN = np.where(np.arange(40) == 7, np.nan, 1.0)
WRONG = {
    "fewer values": (changed(u=np.ones(39)), "'u' in r.npz has shape (39,); its points say (40,)"),
    "fewer of y": (changed(y=np.zeros(39)), "r.npz has 40 of x, 39 of y; expected one of each for every point"),
    "values by time": (
        changed(u=np.ones((40, 3, 2))),
        "'u' in r.npz has shape (40, 3, 2); expected (points,), or a grid",
    ),
    "columns": (changed(x=np.zeros((40, 1))), "'x' in r.npz has shape (40, 1); expected the coordinate of each point"),
    "no points": ({name: np.ones(0) for name in "xyu"}, "'x' in r.npz has shape (0,)"),
    "outside": (changed(x=np.full(40, 1.5)), "'x' in r.npz runs from 1.5 to 1.5, outside the domain's [-1, 1]"),
    "nan": (changed(x=NAN), "'x' in the reference r.npz is not finite everywhere"),
    "nan in u": (changed(u=NAN), "'u' in the reference r.npz is not finite everywhere"),
    "zero": (changed(u=np.zeros(40)), "r.npz is 0"),
    "no y": ({k: a for k, a in around().items() if k != "y"}, "r.npz has no array 'y'"),
    "text": (changed(u=np.full(40, "a")), "expected real numbers"),
}
WRONG_IN_TIME = {
    "one time": ({"u": np.ones(40)}, "'u' in r.npz has shape (40,); expected (points, times), or a grid"),
    "fewer times": ({"u": np.ones((40, 6))}, "'u' in r.npz has shape (40, 6); its points say (40, 7)"),
    "falling times": ({"t": np.linspace(2.0, 0.0, 7)}, "axis 't' in r.npz does not increase"),
    "later": ({"t": np.linspace(0.0, 3.0, 7)}, "axis 't' in r.npz runs from 0 to 3, outside the domain's [0, 2]"),
}


@EITHER
@pytest.mark.parametrize("name", WRONG)
def test_other_content_is_refused_by_name(tmp_path: Path, domain: Domain, name: str) -> None:
    arrays, message = WRONG[name]
    refused(tmp_path, domain, arrays, message)


@EITHER
@pytest.mark.parametrize("name", WRONG_IN_TIME)
def test_other_times_are_refused_by_name(tmp_path: Path, domain: Domain, name: str) -> None:
    arrays, message = WRONG_IN_TIME[name]
    refused(tmp_path, domain & TIME, over_time() | arrays, message)


def test_points_in_a_hole_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, DOMAINS["shape"], around(radius=0.3), "40 points outside of the domain")
    assert len(load(tmp_path, SQUARE, around(radius=0.3)).points) == 40


def refused(folder: Path, domain: Domain, arrays: Arrays, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        load(folder, domain, arrays)
    text = str(error.value)
    assert text.startswith("Mine: ") and message in text and "\n" not in text, text


MINE = """
from mask_pinns import Box, Dirichlet, Disk, Problem

class Mine(Problem):
    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0)){}
    derivatives = ("xx", "yy")
    reference = "r.npz"

    @property
    def conditions(self):
        return (Dirichlet(self.domain, u=lambda p: p.x + p.y),)

    def residual(self, p, u):
        return u.xx + u.yy
"""


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("hole", ["", " - Disk(x=0.0, y=0.0, radius=0.5)"], ids=DOMAINS)
def test_a_run_is_compared_with_it(command: Any, tmp_path: Path, hole: str) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(hole))
    np.savez(tmp_path / "r.npz", **around())
    code, out, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--steps", "2", "--exact", "--name", "a")
    assert (code, err) == (0, "") and "relative L2" in out
    assert json.loads((tmp_path / "runs/a/summary.json").read_text())["rel_l2"] > 0
    assert (tmp_path / "runs/a/solution.png").is_file()


def test_a_mistake_in_the_file_is_answered_in_one_line(answer: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(""))
    np.savez(tmp_path / "r.npz", **changed(u=np.ones(39)))
    assert "'u' in r.npz has shape (39,)" in answer(["--problem", f"{tmp_path}/mine.py:Mine"])
