"""Predictions: derivatives by nested autograd, standard deviations by formulas, one line if there are none."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import small_network
from test_data import cooling, table

from mask_pinns import Box, Data, Initial, MaskPINN, Objective, PointsDataModule, Problem, Unknown
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd
from mask_pinns.objective.posterior import Posterior, make_posterior
from mask_pinns.objective.prediction import GRADIENTS, further_columns

pytestmark = pytest.mark.usefixtures("float64")
SMALL = {"name": "mlp", "width": 6, "blocks": 1, "activation": "sin"}


def problem(noise: float = 0.01) -> Problem:
    return cooling(Data(table(40, noise=0.01), noise=noise), Initial(u=lambda p: torch.sin(pi * p.x)))


def posterior_of(model: MaskPINN) -> Posterior:
    points = PointsDataModule(model.problem, points=60, hard=model.objective.hard).draw(0)
    return make_posterior(model.objective, model.network, lambda: points)


@pytest.mark.parametrize("engine", ["jet", "autograd"])
def test_derivatives_are_those_of_nested_autograd(engine: str) -> None:
    own = problem()
    network = small_network("masked", 2, 1)
    x = torch.rand(3000, 2)
    names = ("t", "xx", "tx", "xt", "xxxt")
    columns = further_columns(Objective(own, derivatives=engine), network, x, names)
    assert list(columns) == [f"u_{name}" for name in names]
    jet = by_autograd(network.eval(), x, own.domain.names, Derivatives(names))
    for name in names:
        expected = jet["".join(sorted(name))].detach()[:, 0].numpy()
        np.testing.assert_allclose(columns[f"u_{name}"], expected, rtol=1e-9, atol=1e-11)


def test_a_derivative_that_is_zero_everywhere_is_written() -> None:
    own = cooling(unknowns=(Unknown("a", of="x"),), residual=lambda self, p, u, a: u.t - a * u.xx)
    model = MaskPINN(own, SMALL)
    columns = further_columns(model.objective, model.network, torch.rand(5, 2), ("t", "x"))
    assert list(columns) == ["u_t", "a_t", "u_x", "a_x"] and not columns["a_t"].any() and columns["a_x"].any()


def test_standard_deviations_follow_the_noise_and_vanish_where_values_are_given() -> None:
    found = []
    x = torch.rand(GRADIENTS * 2 + 10, 2)
    x[:3, 0] = torch.tensor([0.0, 1.0, 0.5])
    x[2, 1] = 0.0
    for noise in (0.01, 0.02):
        torch.manual_seed(0)
        model = MaskPINN(problem(noise), SMALL, exact="auto", dimensionless=True)
        found.append(further_columns(model.objective, model.network, x, (), posterior_of(model))["u_std"])
    assert found[0].shape == (len(x),) and (found[0][:3] < 1e-12).all() and (found[0][3:] > 0).all()
    np.testing.assert_allclose(found[1][3:], 2 * found[0][3:], rtol=1e-3)


def test_standard_deviations_of_a_line_are_those_of_linear_regression() -> None:
    """u = a x + b + noise: cov = sigma^2 (X'X)^-1."""

    class Line(Problem):
        domain = Box(x=(-1.0, 1.0))
        conditions = (Data({"x": np.linspace(-1, 1, 9), "u": np.linspace(0, 1, 9)}, noise=0.3),)

        def residual(self, p, u):
            return 0.0 * u.value

    x = torch.linspace(-1, 1, 5)[:, None]
    model = MaskPINN(Line(), {"name": "mlp", "width": 1, "blocks": 0, "activation": "identity"})
    rows = np.stack([np.linspace(-1, 1, 9), np.ones(9)], 1)
    at = np.stack([x[:, 0].numpy(), np.ones(5)], 1)
    expected = 0.3 * np.sqrt(np.einsum("np,pq,nq->n", at, np.linalg.inv(rows.T @ rows), at))
    columns = further_columns(model.objective, model.network, x, (), posterior_of(model))
    np.testing.assert_allclose(columns["u_std"], expected, rtol=1e-4)


NONSENSE: dict[str, tuple[list[str], str]] = {
    "no coordinate": (["--predict_derivatives", "z"], "'z' is no coordinate; the domain has x, t"),
    "too high": (["--predict_derivatives", "xxxxx"], "'xxxxx' has order 5; orders up to 4 are supported"),
    "empty": (["--predict_derivatives", ""], "expected names by coordinate letters"),
    "no data": (["--predict_std"], "--predict_std: Wave has no Data, whose noise tells how sure a result is"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_cannot_be_written_is_one_line(command: Any, run_a: Path, name: str) -> None:
    flags, message = NONSENSE[name]
    code, _, err = command("predict", "--ckpt_path", str(run_a), *flags, tiny=False)
    assert (code, err.count("\n")) == (2, 1) and message in err, err
    assert not (run_a / "prediction.npz").exists()


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ({"width": 200, "blocks": 1}, {}, "up to 6,000 parameters; this one has"),
        ({"name": "batchnorm", "width": 5}, {}, "need the Jacobian of Gauss-Newton: .* takes statistics"),
        ({"width": 5}, {"derivatives": "autograd"}, "need the Jacobian of Gauss-Newton: .* --derivatives jet"),
    ],
)
def test_networks_without_a_posterior_say_why(network: Any, options: Any, message: str) -> None:
    model = MaskPINN(problem(), {"name": "mlp"} | network, **options)
    with pytest.raises(ValueError, match=message):
        posterior_of(model)


def test_std_as_a_derivative_is_told_from_standard_deviations() -> None:
    class Names(Problem):
        domain = Box(s=(0.0, 1.0), t=(0.0, 1.0), d=(0.0, 1.0))
        derivatives = ("s",)
        conditions = (Data({"s": [0.5], "t": [0.5], "d": [0.5], "u": [1.0]}, noise=0.1),)

        def residual(self, p, u):
            return u.s

    model = MaskPINN(Names(), SMALL)
    x = torch.rand(4, 3)
    assert list(further_columns(model.objective, model.network, x, ("std",))) == ["u_std"]
    with pytest.raises(ValueError, match="write 'dts'"):
        further_columns(model.objective, model.network, x, ("std",), posterior_of(model))


def test_predict_writes_all_columns_and_prints_unknowns(command: Any, tmp_path: Path) -> None:
    flags = ["--problem", "cooling", "--steps", "4", "--name", "a", "--optimizer", "gauss_newton"]
    code, trained, err = command(*flags)
    assert (code, err) == (0, "")
    (tmp_path / "p.csv").write_text("t,x\n0.5,0.0\n0.5,0.25\n")
    words = ["--ckpt_path", str(tmp_path / "runs/a/checkpoints/last.ckpt"), "--predict_points", str(tmp_path / "p.csv")]
    code, out, err = command("predict", *words, "--predict_derivatives", "x", "tt", "--predict_std", tiny=False)
    assert (code, err) == (0, "") and "2 points with u_x, u_tt, u_std written to" in out
    written = np.load(tmp_path / "runs/a/prediction.npz")
    assert {name: written[name].shape for name in written} == {
        "points": (2, 2), "values": (2, 1), "u_x": (2,), "u_tt": (2,), "u_std": (2,)
    }  # fmt: skip
    assert written["u_std"][0] < 1e-9 < written["u_std"][1] and written["u_tt"][0] == pytest.approx(0.0, abs=1e-9)
    number = next(line.split("  ")[1] for line in out.splitlines() if line.startswith("k  "))
    assert "+-" in number and number in trained
    code, out, _ = command("predict", *words, tiny=False)
    assert "k  " in out and "+-" not in out


def test_vtu_has_the_columns(command: Any, tmp_path: Path) -> None:
    meshio = pytest.importorskip("meshio")
    assert command("--problem", "poisson_inverse", "--steps", "1", "--name", "a")[0] == 0
    (tmp_path / "p.csv").write_text("x,y\n0.5,0.5\n")
    flags = ["--vtu", "--predict_derivatives", "xy", "--predict_std", "--predict_points", str(tmp_path / "p.csv")]
    code, _, err = command("predict", "--ckpt_path", str(tmp_path / "runs/a"), *flags, tiny=False)
    assert (code, err) == (0, "")
    data = meshio.read(tmp_path / "runs/a/prediction.vtu").point_data
    assert {"u", "u_xy", "u_std", "a_xy", "a_std"} <= set(data) and data["u_std"].max() > 0
