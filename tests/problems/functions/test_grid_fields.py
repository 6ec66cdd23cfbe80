"""Fields from values on a grid: exact for cubics, their derivatives by jets, all forms of a table, and mistakes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mask_pinns import Box, GridField, Initial, MaskPINN, Problem
from mask_pinns.jets import Derivatives, Jet
from mask_pinns.jets.engines import by_autograd
from mask_pinns.jets.scalar import Scalar

AXES = {"x": np.array([0.0, 0.1, 0.35, 0.5, 0.8, 1.0]), "y": np.linspace(-1.0, 1.0, 5)}


def cubic(x, y):
    return (x**3 - 2 * x + 1) * (y**3 + y**2 - 3)


def on_grid(function) -> np.ndarray:
    return function(AXES["x"][:, None], AXES["y"])


FIELD = GridField(AXES | {"u": on_grid(cubic)}, "u", ["x", "y"])
START = GridField({"x": AXES["x"], "u": np.sin(3 * AXES["x"])}, "u", ["x"])


class Started(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=START),)

    def residual(self, p, u):
        return u.t - (1 + START(p) ** 2) * u.xx


def test_cubics_are_exact_everywhere() -> None:
    x, y = np.random.default_rng(0).uniform([0.0, -1.0], [1.0, 1.0], (50, 2)).T
    np.testing.assert_allclose(FIELD.on(x=x, y=y), cubic(x, y), atol=1e-13)
    np.testing.assert_allclose(
        FIELD.on(x=AXES["x"][[0, -1]], y=AXES["y"][[0, -1]]), cubic(*np.array([[0, 1], [-1, 1]]))
    )


def test_the_error_falls_with_the_fourth_power() -> None:
    x, errors = np.linspace(0.3, 0.7, 501), []
    for n in (20, 40, 80):
        axis = np.linspace(0.0, 1.0, n + 1)
        field = GridField({"x": axis, "u": np.sin(7 * axis)}, "u", ["x"])
        errors.append(np.abs(field.on(x=x) - np.sin(7 * x)).max())
    assert 14 < errors[0] / errors[1] < 20 and 14 < errors[1] / errors[2] < 18, errors


def test_jets_carry_the_splines_derivatives(float64) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return FIELD(SimpleNamespace(x=x[:, 0], y=x[:, 1]))[:, None]

    x = torch.rand(9, 2) * torch.tensor([1.0, 2.0]) - torch.tensor([0.0, 1.0])
    derivatives = Derivatives(("xx", "yy", "xy"))
    jet = Jet.of_coordinates(x, "xy", derivatives)
    columns = [Scalar(Jet(derivatives, {m: s[:, i] for m, s in jet.streams.items()})) for i in (0, 1)]
    got = FIELD(SimpleNamespace(x=columns[0], y=columns[1])).jet
    for m, expected in by_autograd(Applied(), x, "xy", derivatives).streams.items():
        torch.testing.assert_close(got[m], expected[:, 0], rtol=1e-11, atol=1e-11)


def test_a_start_is_exact_and_trains(float64) -> None:
    module = MaskPINN(Started(), {"name": "masked", "width": 4, "blocks": 1}, exact="all").double()
    x = torch.rand(6, 1)
    predicted = module.predict(torch.cat([x, torch.zeros_like(x)], 1))[:, 0]
    np.testing.assert_allclose(predicted, START.on(x=x[:, 0].numpy()), rtol=1e-6)


def test_files_of_every_form(tmp_path: Path) -> None:
    u = on_grid(cubic)
    np.savez(tmp_path / "grid.npz", **AXES, u=u)
    rows = list(product(range(6), range(5)))
    np.random.default_rng(1).shuffle(rows)
    text = "y,x,u\n" + "".join(f"{AXES['y'][j]!r},{AXES['x'][i]!r},{u[i, j]!r}\n" for i, j in rows)
    (tmp_path / "rows.csv").write_text(text.replace("np.float64(", "").replace(")", ""))
    for name in ("grid.npz", "rows.csv"):
        read = GridField(tmp_path / name, "u", ["x", "y"])
        np.testing.assert_allclose(read.on(x=[0.3], y=[0.2]), FIELD.on(x=[0.3], y=[0.2]))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.npz", "does not exist"),
        ({"x": AXES["x"]}, "there is no 'y' among x"),
        (AXES | {"u": np.zeros((5, 6))}, "expected an axis for each dimension of u"),
        (AXES | {"u": np.full((6, 5), np.nan)}, "not finite"),
        (
            AXES | {"y": AXES["y"][::-1], "u": np.zeros((6, 5))},
            "its y has 5 values; expected four or more that increase",
        ),
        ({"x": [0, 1, 2], "y": [0, 1, 2], "u": [0, 1, 2]}, "3 rows are not each point once of a grid"),
        ({"x": 0.0, "y": [0, 1, 2], "u": [0, 1, 2]}, "expected an axis for each dimension of u"),
        ({n: np.random.default_rng(0).random(60_000) for n in "xyu"}, "60,000 rows are not each point once of a grid"),
    ],
)
def test_mistakes(source, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridField(source, "u", ["x", "y"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"numbers"])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"GridField of u: a\.npz cannot be read"):
        GridField(tmp_path / "a.npz", "u", ["x"])


def test_points_in_single_precision() -> None:
    axis = np.linspace(100.1, 101.1, 5)
    field = GridField({"x": axis, "u": axis}, "u", ["x"])
    ends = torch.tensor([100.1, 101.1])
    torch.testing.assert_close(field(SimpleNamespace(x=ends)), ends)
    late = GridField({"x": 1.7e9 + np.arange(5.0), "u": axis}, "u", ["x"])
    with pytest.raises(ValueError, match=r"its x is too fine for torch\.float32"):
        late(SimpleNamespace(x=torch.tensor([1.7e9])))


def test_points_outside_of_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has x from 0 to 1; it was asked for 1\.2"):
        FIELD.on(x=[0.5, 1.2], y=[0.0, 0.0])
